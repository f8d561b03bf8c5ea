//! The OpenAPI description of `lava-server`.

use utoipa::OpenApi as _;

use super::super::Bearer;
use super::{
    boards, ci, console, daemons, events, feed, follow, images, jobs, leases, requests, users,
};

/// As served at `/openapi.json` and checked in at `conf/openapi/lava-server.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(
        modifiers(&Bearer),
        security((), ("token" = [])),
        info(title = "lava-server", description = "The boards of a lab, who has them, and the jobs that run on them"),
        paths(
            daemons::list,
            daemons::announce,
            daemons::forget,
            daemons::consoles,
            daemons::outlets,
            boards::list,
            boards::get,
            boards::put,
            boards::remove,
            boards::health,
            boards::identity,
            boards::maintenance,
            boards::history,
            console::screen,
            console::attach,
            console::lines,
            console::offset,
            console::events,
            console::status,
            console::switch,
            feed::feed,
            jobs::check_board,
            jobs::boot::boot,
            jobs::boot::image,
            jobs::list,
            jobs::submit,
            jobs::get,
            jobs::definition,
            jobs::cancel,
            jobs::resubmit,
            jobs::log::get,
            jobs::log::follow,
            jobs::lines::get,
            jobs::results::get,
            ci::list,
            ci::get,
            ci::put,
            ci::remove,
            ci::run,
            jobs::workers::list,
            jobs::workers::poll,
            jobs::workers::log,
            jobs::workers::end,
            users::whoami,
            users::list,
            users::put,
            users::remove,
            users::new_token,
            users::remove_token,
            users::groups,
            users::put_group,
            users::remove_group,
            events::events,
            requests::list,
            requests::submit,
            requests::get,
            requests::release,
            requests::heartbeat,
            follow::follow,
            leases::list,
            leases::extend,
            leases::share,
            leases::unshare,
            leases::give,
            images::list,
            images::get,
            images::put,
            images::remove,
            images::content::read,
            images::upload::begin,
            images::upload::get,
            images::upload::write,
            images::upload::give_up,
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
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/openapi/lava-server.json");
        let now = super::openapi().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("LAVA_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap();
        assert!(checked_in == now, "{path} is out of date; see this test");
    }
}
