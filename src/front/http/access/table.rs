//! The tables of rights, compared with what is routed and with what is told of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Need, Row};

/// Fails when something is routed in a folder of `front/http` that its table does not have, or the
/// reverse, or conf/rights.md tells otherwise.
#[track_caller]
pub(in crate::front) fn check(folder: &str, table: &[Row]) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut routed = BTreeSet::new();
    for entry in std::fs::read_dir(package.join("src/front/http").join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            routed.extend(routes(&std::fs::read_to_string(path).unwrap()));
        }
    }
    let listed: BTreeSet<_> = table.iter().map(|(m, p, _)| format!("{m} {p}")).collect();
    assert_eq!(routed, listed, "the routes, and the table in src/front/http/{folder}/rights.rs");

    let told = std::fs::read_to_string(package.join("conf/rights.md")).unwrap();
    for (method, path, need) in table {
        let need = match need {
            Need::Nothing => "-".to_owned(),
            Need::Named(right) => right.to_string(),
            Need::Each(right) => format!("{right} (of each)"),
            Need::All(right) => format!("{right} (of everything)"),
            Need::Worker => "a token of that worker".to_owned(),
        };
        let row = format!("| `{method} {path}` | {need} |");
        assert!(told.contains(&row), "conf/rights.md has no row\n{row}");
    }
}

/// `GET /consoles` and so on, from the text of a source file.
fn routes(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for route in text.split(".route(").skip(1) {
        let mut parts = route.splitn(3, '"');
        let Some(path) = parts.nth(1) else { continue };
        let handlers = parts.next().unwrap_or_default();
        let end = ["\n        .", ";", "\n    }"].iter().filter_map(|end| handlers.find(end)).min();
        let handlers = &handlers[..end.unwrap_or(handlers.len())];
        for method in ["get", "post", "put", "patch", "delete", "any"] {
            let called = |before: &str| handlers.contains(&format!("{before}{method}("));
            if [" ", ".", "::", "\n"].into_iter().any(called) {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found
}

#[test]
fn routes_are_found_in_every_way_to_write_them() {
    let text = "Router::new()\n        .route(\"/a\", get(async || \"ok\\n\"))\n        \
                .route(\"/b\", get(b).post(c))\n        .route(\n            \"/c\",\n            \
                post(d::e),\n        )\n        .layer(x)";
    assert_eq!(routes(text), ["GET /a", "GET /b", "POST /b", "POST /c"].map(String::from).into());
}
