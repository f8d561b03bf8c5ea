//! What each page of the lab needs. What is not here is not let in.

use super::super::super::access::{Need, Row};
use crate::model::Right;

/// The routes. What stands on a page is what the API tells the same caller.
pub(super) const TABLE: &[Row] = &[
    ("GET", "/", Need::Nothing),
    ("GET", "/ui/boards", Need::Each(Right::See)),
    ("GET", "/ui/boards/{name}", Need::Named(Right::See)),
    // A file without anything of the lab in it: what it shows it asks for.
    ("GET", "/ui/boards/{name}/console", Need::Nothing),
    ("GET", "/ui/queue", Need::Each(Right::See)),
    ("GET", "/ui/jobs", Need::Each(Right::See)),
    ("GET", "/ui/jobs/{id}", Need::Each(Right::See)),
    ("GET", "/ui/images", Need::Each(Right::See)),
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_page_has_its_right_and_is_told_with_it() {
        crate::front::http::access::table::check("server/ui", super::TABLE);
    }
}
