//! The OpenAPI description of `lava-power`.

use utoipa::OpenApi as _;

use super::super::Bearer;
use super::labgrid;

/// As served at `/openapi.json` and checked in at `conf/openapi/lava-power.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(
        modifiers(&Bearer),
        security((), ("token" = [])),
        info(title = "lava-power", description = "The outlets of a board lab"),
        paths(
            super::outlets,
            super::status,
            super::meter,
            super::on,
            super::off,
            super::cycle,
            super::history,
            super::leases::list,
            super::leases::lease,
            super::leases::take,
            super::leases::release,
            labgrid::get,
            labgrid::put,
            labgrid::simple,
            labgrid::get_at,
            labgrid::put_at,
            labgrid::simple_at,
        )
    )]
    struct Description;
    Description::openapi()
}

#[cfg(test)]
mod tests {
    /// `LAVA_WRITE_OPENAPI=1 cargo test` writes the file anew.
    #[test]
    fn the_checked_in_description_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/openapi/lava-power.json");
        let now = super::openapi().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("LAVA_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap();
        assert!(checked_in == now, "{path} is out of date; see this test");
    }
}
