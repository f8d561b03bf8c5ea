//! The OpenAPI description of `lava-serial`.

use utoipa::OpenApi as _;

use super::super::Bearer;

/// As served at `/openapi.json` and checked in at `conf/openapi/lava-serial.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(
        modifiers(&Bearer),
        security((), ("token" = [])),
        info(title = "lava-serial", description = "Serial consoles, shared and captured"),
        paths(
            super::list,
            super::status,
            super::feed::feed,
            super::view::lines,
            super::outlet::status,
            super::outlet::switch,
            super::leases::lease,
            super::leases::take,
            super::leases::release,
            super::past::history,
            super::past::offset,
            super::past::events,
            super::search::search,
            super::record,
            super::control::force,
            super::control::release,
            super::control::send_break,
            super::control::message,
            super::control::note,
            super::control::kick,
            super::control::line,
            super::control::close,
            super::control::open,
            super::control::send,
            super::reload::reload,
        )
    )]
    struct Description;
    Description::openapi()
}
