//! The OpenAPI description of `lava-serial`.

use utoipa::OpenApi as _;

/// As served at `/openapi.json` and checked in at `conf/openapi/lava-serial.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(
        info(title = "lava-serial", description = "Serial consoles, shared and captured"),
        paths(
            super::list,
            super::status,
            super::past::history,
            super::past::offset,
            super::past::events,
            super::search::search,
            super::record,
            super::send_break,
            super::message,
            super::reload::reload,
        )
    )]
    struct Description;
    Description::openapi()
}
