//! The Python library, as it is in this program: a script has the one that fits its server's workers.

use std::io;
use std::path::Path;

/// The files of the package.
const FILES: [(&str, &str); 15] = [
    ("__init__.py", include_str!("../../../python/lavamux/__init__.py")),
    ("_files.py", include_str!("../../../python/lavamux/_files.py")),
    ("_heart.py", include_str!("../../../python/lavamux/_heart.py")),
    ("_http.py", include_str!("../../../python/lavamux/_http.py")),
    ("_text.py", include_str!("../../../python/lavamux/_text.py")),
    ("_thread.py", include_str!("../../../python/lavamux/_thread.py")),
    ("_websocket.py", include_str!("../../../python/lavamux/_websocket.py")),
    ("aio.py", include_str!("../../../python/lavamux/aio.py")),
    ("board.py", include_str!("../../../python/lavamux/board.py")),
    ("boot.py", include_str!("../../../python/lavamux/boot.py")),
    ("console.py", include_str!("../../../python/lavamux/console.py")),
    ("images.py", include_str!("../../../python/lavamux/images.py")),
    ("job.py", include_str!("../../../python/lavamux/job.py")),
    ("lab.py", include_str!("../../../python/lavamux/lab.py")),
    ("pytest_plugin.py", include_str!("../../../python/lavamux/pytest_plugin.py")),
];

/// Writes it into a folder, for `$PYTHONPATH`.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let package = folder.join("lavamux");
    std::fs::create_dir_all(&package)?;
    FILES.iter().try_for_each(|(name, text)| std::fs::write(package.join(name), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_package_is_there() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/python/lavamux");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".py"))
            .collect();
        there.sort();
        assert_eq!(there, FILES.map(|(name, _)| name.to_owned()));
    }
}
