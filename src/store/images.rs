//! Images: what they are called, whose they are, and until when. The files themselves are [`Objects`].
//!
//! [`Objects`]: super::Objects

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{Store, StoreError, count, number};

/// An image. One that is kept for ever has 0 as its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    pub name: String,
    pub sha256: String,
    pub size: u64,
    pub user: String,
    pub note: String,
    pub made_us: u64,
    pub until_us: u64,
    /// What makes it the disk of a virtual machine, a document; empty for others.
    pub vm: String,
}

/// A file that is kept, or is just being stored, and who has brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    pub sha256: String,
    /// In bytes.
    pub size: u64,
    pub user: String,
}

impl Store {
    pub async fn images(&self) -> Result<Vec<ImageRow>, StoreError> {
        let sql = "SELECT name, sha256, size, user_name, note, made_us, until_us, vm FROM images
                   ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(image).collect()
    }

    pub async fn image(&self, name: &str) -> Result<Option<ImageRow>, StoreError> {
        let sql = "SELECT name, sha256, size, user_name, note, made_us, until_us, vm FROM images
                   WHERE name = $1";
        sqlx::query(sql)
            .bind(name)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(image)
            .transpose()
    }

    /// Writes an image, new or changed.
    pub async fn put_image(&self, image: &ImageRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO images (name, sha256, size, user_name, note, made_us, until_us, vm)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, size = excluded.size,
                user_name = excluded.user_name, note = excluded.note, made_us = excluded.made_us,
                until_us = excluded.until_us, vm = excluded.vm",
            )
            .bind(&image.name)
            .bind(&image.sha256)
            .bind(number(image.size))
            .bind(&image.user)
            .bind(&image.note)
            .bind(number(image.made_us))
            .bind(number(image.until_us))
            .bind(&image.vm),
        )
        .await?;
        Ok(())
    }

    /// Forgets an image; whether there was one. Its file stays.
    pub async fn remove_image(&self, name: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM images WHERE name = $1";
        Ok(self.write(sqlx::query(sql).bind(name)).await? > 0)
    }

    /// Forgets the images whose time is over; how many there were.
    pub async fn remove_images_until(&self, now_us: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM images WHERE until_us > 0 AND until_us <= $1";
        self.write(sqlx::query(sql).bind(number(now_us))).await
    }

    /// Whether a file has a name.
    pub async fn is_named(&self, sha256: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM images WHERE sha256 = $1";
        Ok(sqlx::query(sql).bind(sha256).fetch_optional(&self.pool).await?.is_some())
    }

    pub async fn files(&self) -> Result<Vec<FileRow>, StoreError> {
        let sql = "SELECT sha256, size, user_name FROM files ORDER BY sha256";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(file).collect()
    }

    /// Writes down that there is a file; who brings it again has brought it.
    pub async fn put_file(&self, file: &FileRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO files (sha256, size, user_name) VALUES ($1, $2, $3)
             ON CONFLICT (sha256) DO UPDATE SET size = excluded.size,
                user_name = excluded.user_name",
            )
            .bind(&file.sha256)
            .bind(number(file.size))
            .bind(&file.user),
        )
        .await?;
        Ok(())
    }

    /// The same of one that was found; what is known of it stays.
    pub async fn add_file(&self, file: &FileRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO files (sha256, size, user_name) VALUES ($1, $2, $3)
                   ON CONFLICT (sha256) DO NOTHING";
        let query = sqlx::query(sql).bind(&file.sha256).bind(number(file.size)).bind(&file.user);
        self.write(query).await?;
        Ok(())
    }

    pub async fn remove_file(&self, sha256: &str) -> Result<(), StoreError> {
        self.write(sqlx::query("DELETE FROM files WHERE sha256 = $1").bind(sha256)).await?;
        Ok(())
    }

    /// What the place of the files is marked with, if it was ever said.
    pub async fn place_mark(&self) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar(MARK).fetch_optional(&self.pool).await?)
    }

    pub async fn put_place_mark(&self, mark: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO image_place (mark) VALUES ($1)";
        self.write(sqlx::query(sql).bind(mark)).await?;
        Ok(())
    }

    /// The same of a database that another server has. Nothing is made or changed in it; one that is too old
    /// to say it says nothing.
    pub async fn place_mark_of(url: &str) -> Option<String> {
        let mut database = AnyConnection::connect(url).await.ok()?;
        let mark = sqlx::query_scalar(MARK).fetch_optional(&mut database).await;
        mark.ok().flatten()
    }
}

const MARK: &str = "SELECT mark FROM image_place";

fn file(row: &AnyRow) -> Result<FileRow, StoreError> {
    Ok(FileRow { sha256: row.try_get(0)?, size: count(row.try_get(1)?), user: row.try_get(2)? })
}

fn image(row: &AnyRow) -> Result<ImageRow, StoreError> {
    Ok(ImageRow {
        name: row.try_get(0)?,
        sha256: row.try_get(1)?,
        size: count(row.try_get(2)?),
        user: row.try_get(3)?,
        note: row.try_get(4)?,
        made_us: count(row.try_get(5)?),
        until_us: count(row.try_get(6)?),
        vm: row.try_get(7)?,
    })
}
