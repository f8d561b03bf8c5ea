//! Whom a job tells of its end, in LAVA's words. It is checked, and kept with the definition beside the job's
//! results: nobody is told by this program, nor by `lava-server`; who wants to know follows the server's events.

use std::collections::BTreeMap;

use super::Text;
use super::artefact::one_of;
use crate::config::Table;

const STATUS: &[&str] = &["all", "canceled", "complete", "finished", "incomplete", "running"];

/// Notes what is wrong with `notify`.
pub(super) fn check(top: &Table<'_>) {
    let Some(table) = top.table("notify") else { return };
    let what = "nobody is told of the job's end here; follow the server's events instead";
    table.at().note(table.place(), what);
    match table.table("criteria") {
        None if table.node("criteria").is_none() => {
            table.problem("criteria", "\"criteria\" is missing");
        }
        None => {}
        Some(criteria) => {
            needed(&criteria, "status");
            one_of(&criteria, "status", STATUS);
            one_of(&criteria, "type", &["progression", "regression"]);
            criteria.optional::<String>("dependency_query");
            criteria.finish();
        }
    }
    one_of(&table, "verbosity", &["quiet", "status-only", "verbose"]);
    recipients(&table);
    if table.node("callback").is_some() && table.node("callbacks").is_some() {
        table.problem("callbacks", "a job has \"callback\" or \"callbacks\", not both");
    }
    table.table("callback").into_iter().for_each(callback);
    table.tables("callbacks").into_iter().for_each(callback);
    if let Some(compare) = table.table("compare") {
        compare.optional::<Vec<String>>("blacklist");
        compare.table("query").into_iter().for_each(query);
        compare.finish();
    }
    table.finish();
}

fn recipients(table: &Table<'_>) {
    for recipient in table.tables("recipients") {
        needed(&recipient, "to");
        if let Some(to) = recipient.table("to") {
            needed(&to, "method");
            one_of(&to, "method", &["email", "irc"]);
            for key in ["email", "handle", "server", "user"] {
                to.optional::<Text>(key);
            }
            to.finish();
        }
        recipient.finish();
    }
}

fn callback(table: Table<'_>) {
    table.required::<String>("url");
    one_of(&table, "method", &["GET", "POST"]);
    one_of(&table, "dataset", &["all", "logs", "minimal", "results"]);
    one_of(&table, "content-type", &["json", "urlencoded"]);
    for key in ["header", "token"] {
        table.optional::<Text>(key);
    }
    table.finish();
}

fn query(table: Table<'_>) {
    for key in ["entity", "name", "username"] {
        table.optional::<String>(key);
    }
    table.optional::<BTreeMap<String, Text>>("conditions");
    table.finish();
}

fn needed(table: &Table<'_>, key: &str) {
    if table.node(key).is_none() {
        table.problem(key, format!("{key:?} is missing"));
    }
}
