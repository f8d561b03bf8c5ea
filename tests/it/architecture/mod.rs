//! The rules of the house, checked on the source text. ARCHITECTURE.md tells the reasons.
//!
//! The order of the modules is the list in the documentation of `src/lib.rs`: a module imports
//! only from those above it. Where reality needs it otherwise the exception is listed in
//! [`rules`], with its reason.

mod rules;
mod source;

use source::Source;

/// Fails with every breach of a rule at once, each with its place.
#[track_caller]
fn obeyed(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}\n  {}", breaches.join("\n  "));
}

#[test]
fn a_module_imports_only_from_those_above_it() {
    let order = source::module_order();
    let sources = source::all("src");
    obeyed(
        "A module imports only from those above it in src/lib.rs's list:",
        &rules::imports_from_below(&order, &sources),
    );
    obeyed(
        "src/lib.rs's documentation lists every module, and no other:",
        &rules::not_in_the_list(&order, &sources),
    );
}

#[test]
fn a_heavy_library_has_one_owner() {
    obeyed(
        "These libraries are used in one place, so that they can be replaced there:",
        &rules::foreign_libraries(&source::all("src")),
    );
}

#[test]
fn fronts_reach_services_only_through_the_client() {
    obeyed(
        "What a person uses talks to the daemons as anybody else does, through client:",
        &rules::fronts_at_services(&source::all("src")),
    );
}

#[test]
fn unsafe_code_lives_only_in_sys() {
    obeyed("unsafe only in src/sys:", &rules::unsafe_outside_sys(&source::all("src")));
}

#[test]
fn every_task_has_an_owner_and_every_queue_a_bound() {
    obeyed(
        "No tokio::spawn (a TaskTracker owned by its service), no unbounded channel:",
        &rules::tasks_and_queues(&source::all("src")),
    );
}

#[test]
fn model_and_wire_do_no_input_or_output() {
    obeyed(
        "model and wire are values and codecs; they know no socket, file or runtime:",
        &rules::input_output_in_pure_modules(&source::all("src")),
    );
}

#[test]
fn confined_programs_ask_for_no_file_that_is_hidden_from_them() {
    obeyed(
        "Units with ProcSubset=pid have no /proc but that of processes:",
        &rules::hidden_files(&source::all("src")),
    );
}

#[test]
fn files_are_short() {
    let mut sources = source::all("src");
    sources.extend(source::all("tests"));
    obeyed(
        "One idea a file: at most 600 lines, and a program's main fewer than 60:",
        &rules::long_files(&sources),
    );
}

/// Each rule is broken once here, since a check that never fails checks nothing.
mod broken_rules {
    use super::{Source, rules, source};

    fn order() -> Vec<String> {
        ["model", "wire", "client", "console", "front"].map(String::from).to_vec()
    }

    fn one(path: &str, text: &str) -> Vec<Source> {
        vec![Source::new(path, text)]
    }

    #[test]
    fn an_import_from_below_is_seen_in_every_way_to_write_it() {
        for text in [
            "use crate::front::http;",
            "use crate::{model::Name, front::http};",
            "use crate::{\n    model::{Event, Name},\n    front,\n};",
            "fn f() { crate::front::run() }",
        ] {
            let breaches = rules::imports_from_below(&order(), &one("src/wire/a.rs", text));
            assert_eq!(breaches.len(), 1, "{text}: {breaches:?}");
            assert!(breaches[0].starts_with("src/wire/a.rs:"), "{breaches:?}");
        }
    }

    #[test]
    fn comments_strings_and_tests_are_not_code() {
        let text = r##"
            //! See [`crate::front`].
            /* crate::front /* nested */ crate::front */
            const A: &str = "crate::front \" crate::front";
            const B: &str = r#"crate::front " "#;
            const C: (char, char) = ('"', '\'');
            fn f<'a>(x: &'a str) {}
#[cfg(test)]
mod tests { use crate::front; }
        "##;
        assert_eq!(rules::imports_from_below(&order(), &one("src/wire/a.rs", text)), [""; 0]);
    }

    #[test]
    fn every_other_rule_sees_its_breach() {
        let breaches = |found: Vec<String>| assert_eq!(found.len(), 1, "{found:?}");
        breaches(rules::foreign_libraries(&one("src/console/a.rs", "use axum::Router;")));
        breaches(rules::fronts_at_services(&one(
            "src/front/cli/a.rs",
            "use crate::console::Ring;",
        )));
        breaches(rules::unsafe_outside_sys(&one("src/port/a.rs", "fn f() { unsafe { g() } }")));
        breaches(rules::tasks_and_queues(&one("src/port/a.rs", "tokio::spawn(async {});")));
        breaches(rules::tasks_and_queues(&one("src/port/a.rs", "mpsc::unbounded_channel()")));
        breaches(rules::input_output_in_pure_modules(&one("src/wire/a.rs", "use tokio::net;")));
        let hidden = |path: &str| {
            rules::hidden_files(&one(path, "// /proc/sys\nfn f() { read(\"/proc/sys/kernel/x\") }"))
        };
        breaches(hidden("src/server/a.rs"));
        assert_eq!(hidden("src/dispatch/a.rs"), [""; 0]);
        let own = "fn f() { read(\"/proc/self/fd\"); read(\"/proc/{pid}/stat\") }";
        assert_eq!(rules::hidden_files(&one("src/server/a.rs", own)), [""; 0]);
        breaches(rules::long_files(&one("src/wire/a.rs", &"\n".repeat(601))));
        breaches(rules::long_files(&one("src/bin/a.rs", &"\n".repeat(60))));
        breaches(rules::not_in_the_list(&[], &one("src/wire/a.rs", "")));
        breaches(rules::not_in_the_list(&order()[..2], &one("src/wire/a.rs", "")));
    }

    #[test]
    fn the_list_is_read_in_its_order() {
        let order = source::module_order();
        let place = |name: &str| order.iter().position(|module| module == name);
        assert!(place("model") < place("wire") && place("wire") < place("client"), "{order:?}");
        assert!(place("front").is_some(), "{order:?}");
    }
}
