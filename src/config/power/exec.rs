//! The keys of `driver = "exec"`: programs that switch outlets.

use crate::config::Table;

/// Programs with their arguments. `{port}` and `{outlet}` in an argument are replaced; nothing else
/// is, for no shell ever sees them.
#[derive(Debug, Clone)]
pub struct Exec {
    /// Not empty, as the next two.
    pub on: Vec<String>,
    pub off: Vec<String>,
    /// Tells by its output, or by its exit status when it prints nothing.
    pub status: Option<Vec<String>>,
}

impl Exec {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let on = table.required::<Vec<String>>("on");
        let off = table.required::<Vec<String>>("off");
        let status = table.optional::<Vec<String>>("status");
        for (key, program) in [("on", &on), ("off", &off), ("status", &status)] {
            match program.as_deref().map(|words| words.first().map(String::as_str)) {
                Some(None | Some("")) => table.problem(key, "the program is missing"),
                _ if program.iter().flatten().any(|word| word.contains('\0')) => {
                    table.problem(key, "an argument cannot hold a zero byte");
                }
                _ => {}
            }
        }
        Some(Self { on: on?, off: off?, status })
    }

    /// Whether the programs are told which outlet is meant.
    pub(super) fn knows_outlet(&self) -> bool {
        let known = |word: &String| word.contains("{port}") || word.contains("{outlet}");
        self.on.iter().chain(&self.off).any(known)
    }
}
