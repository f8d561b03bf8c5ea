//! The whole database as lines of JSON, and back: the same for SQLite and PostgreSQL, so that a lab can move
//! from one to the other.
//!
//! The first line says what it is and of which schema; then `{"table": …, "columns": […]}` comes before the rows of
//! each table, which are lists; the last line says how many rows there were, so that a cut file is noticed.

use std::io::{BufRead, Write};

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::any::{AnyConnectOptions, AnyRow, AnyTypeInfoKind};
use sqlx::{AnyConnection, AssertSqlSafe, Column as _, Connection as _, Row as _, ValueRef as _};

use super::schema::{self, VERSION};
use super::{Store, StoreError, check_url};
use crate::model::units::now_us;

/// The version of this form; a program reads the forms that it knows.
const FORM: u64 = 1;

/// The first line.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Head {
    lava_backup: u64,
    /// The schema that the rows are of.
    schema: i64,
    /// When it was made, in microseconds since the Unix epoch.
    made_us: u64,
    /// By which program.
    version: String,
}

/// Every later line.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Line {
    Row(Vec<Value>),
    Table { table: String, columns: Vec<String> },
    End { rows: u64 },
}

/// Why a database cannot be written out or read in.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("line {line}: {what}")]
    Line { line: u64, what: String },
    #[error(
        "the database has {table} already: a backup is read into an empty one; name another with --database or \
         --dir, or move that one away"
    )]
    NotEmpty { table: String },
    #[error("there is no database at {0}")]
    None(String),
}

impl From<sqlx::Error> for DumpError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Writes all that a database has, as it is at one moment, also while a server uses it: how many rows. It is
    /// not brought up to date.
    ///
    /// # Errors
    /// When there is none, it is of a newer program, or `to` cannot be written.
    pub async fn dump(url: &str, to: &mut impl Write) -> Result<u64, DumpError> {
        let sqlite = check_url(url)?;
        // None is made here.
        let mut session = connect(&url.replace("mode=rwc", "mode=rw")).await?;
        // Each read of it sees what the first one saw.
        let begin =
            if sqlite { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        let mut session = session.begin_with(begin).await?;
        let known: Result<Option<i64>, _> = sqlx::query_scalar("SELECT version FROM lava_schema")
            .fetch_optional(&mut *session)
            .await;
        let Ok(Some(version)) = known else {
            return Err(DumpError::None(super::without_password(url)));
        };
        if version > VERSION {
            return Err(StoreError::Newer { found: version }.into());
        }
        let made_by = env!("CARGO_PKG_VERSION").to_owned();
        let head = Head { lava_backup: FORM, schema: version, made_us: now_us(), version: made_by };
        put(to, &head)?;
        let mut count = 0;
        for table in schema::tables(version) {
            let mut rows =
                sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch(&mut *session);
            let mut first = true;
            while let Some(row) = rows.try_next().await? {
                if std::mem::take(&mut first) {
                    let columns =
                        row.columns().iter().map(|column| column.name().to_owned()).collect();
                    put(to, &Line::Table { table: table.to_owned(), columns })?;
                }
                put(to, &Line::Row(values(&row)?))?;
                count += 1;
            }
        }
        put(to, &Line::End { rows: count })?;
        Ok(count)
    }

    /// Looks whether a backup can be read into a database: nothing is changed.
    ///
    /// # Errors
    /// When it has something already.
    pub async fn is_empty(url: &str) -> Result<(), DumpError> {
        let made = if check_url(url)? { Self::creating(url) } else { url.to_owned() };
        let mut session = connect(&made).await?;
        // Dropped, so that it is as it was.
        let mut look = session.begin().await?;
        clear(&mut look).await
    }

    /// Reads what [`Self::dump`] has written into a database that has nothing yet, and brings it up to date: how
    /// many rows. All of it is there then, or nothing.
    ///
    /// # Errors
    /// When the database has something already, or a line is not what it should be.
    pub async fn restore(url: &str, from: &mut impl BufRead) -> Result<u64, DumpError> {
        let sqlite = check_url(url)?;
        let mut lines = Lines { from, line: 0 };
        let head: Head = lines.next()?.ok_or_else(|| lines.wrong("it is empty"))?;
        if head.lava_backup != FORM {
            return Err(lines.wrong(format!(
                "this program reads backups of form {FORM}, not {}",
                head.lava_backup
            )));
        }
        if !(1..=VERSION).contains(&head.schema) {
            return Err(StoreError::Newer { found: head.schema }.into());
        }
        let made = if sqlite { Self::creating(url) } else { url.to_owned() };
        let mut session = connect(&made).await?;
        let mut change = session.begin().await?;
        clear(&mut change).await?;
        schema::step(&mut change, 0, head.schema).await?;
        let count = rows_into(&mut change, &mut lines).await?;
        schema::step(&mut change, head.schema, VERSION).await?;
        change.commit().await?;
        session.close().await?;
        Ok(count)
    }
}

async fn clear(change: &mut AnyConnection) -> Result<(), DumpError> {
    schema::clear(change).await.map_err(|table| match table {
        schema::Clear::Has(table) => DumpError::NotEmpty { table },
        schema::Clear::Failed(error) => error.into(),
    })
}

/// Puts the rows of all lines that are left where they belong.
async fn rows_into(
    change: &mut AnyConnection,
    lines: &mut Lines<'_, impl BufRead>,
) -> Result<u64, DumpError> {
    let (mut insert, mut width, mut count) = (None, 0, 0);
    loop {
        match lines.next()?.ok_or_else(|| lines.wrong("the end of the backup is missing"))? {
            Line::Table { table, columns } => {
                let mut names = columns.iter().chain([&table]);
                if columns.is_empty() || !names.all(|name| is_name(name)) {
                    return Err(lines.wrong("no table has these names"));
                }
                let places: Vec<_> =
                    (1..=columns.len()).map(|number| format!("${number}")).collect();
                let (names, places) = (columns.join(", "), places.join(", "));
                insert = Some(format!("INSERT INTO {table} ({names}) VALUES ({places})"));
                width = columns.len();
            }
            Line::Row(values) => {
                let Some(insert) = insert.as_ref().filter(|_| values.len() == width) else {
                    return Err(lines.wrong("the row is of no table"));
                };
                let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
                for value in values {
                    query = match value {
                        Value::String(text) => query.bind(text),
                        Value::Number(number) => query.bind(number.as_i64()),
                        other => {
                            return Err(lines.wrong(format!("{other} is no text and no number")));
                        }
                    };
                }
                let put = query.execute(&mut *change).await;
                put.map_err(|error| lines.wrong(StoreError::from(error).to_string()))?;
                count += 1;
            }
            Line::End { rows } if rows == count => return Ok(count),
            Line::End { rows } => return Err(lines.wrong(format!("{count} rows came of {rows}"))),
        }
    }
}

/// The lines of a backup with their numbers, from 1.
struct Lines<'a, R> {
    from: &'a mut R,
    line: u64,
}

impl<R: BufRead> Lines<'_, R> {
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, DumpError> {
        let mut text = String::new();
        self.line += 1;
        if self.from.read_line(&mut text)? == 0 {
            return Ok(None);
        }
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|_| self.wrong("this is no line of a backup of lava-server"))
    }

    fn wrong(&self, what: impl Into<String>) -> DumpError {
        DumpError::Line { line: self.line, what: what.into() }
    }
}

async fn connect(url: &str) -> Result<AnyConnection, StoreError> {
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = url.parse()?;
    let open = AnyConnection::connect_with(&options);
    tokio::time::timeout(super::PATIENCE, open)
        .await
        .map_err(|_| StoreError::Silent)?
        .map_err(Into::into)
}

fn values(row: &AnyRow) -> Result<Vec<Value>, sqlx::Error> {
    let value = |column| match row.try_get_raw(column)?.type_info().kind() {
        AnyTypeInfoKind::Text => row.try_get::<String, _>(column).map(Value::from),
        _ => row.try_get::<i64, _>(column).map(Value::from),
    };
    (0..row.len()).map(value).collect()
}

fn put(to: &mut impl Write, line: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

/// Whether it can be the name of a table or a column.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}
