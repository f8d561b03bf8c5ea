//! What each page needs. What is not here is not let in.

use super::super::http::access::{Need, Row};

/// The routes.
pub(super) const TABLE: &[Row] = &[
    ("GET", "/", Need::Nothing),
    ("GET", "/view/{name}", Need::Nothing),
    ("GET", "/login", Need::Nothing),
    ("GET", "/web/{file}", Need::Nothing),
    // Who logs in is nobody yet, and who logs out does not need to be anybody.
    ("GET", "/session", Need::Nothing),
    ("POST", "/session", Need::Nothing),
    ("DELETE", "/session", Need::Nothing),
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_page_has_its_right_and_is_told_with_it() {
        crate::front::http::access::table::check("../web", super::TABLE);
    }
}
