//! Who waits, in order, and why; and who has boards.

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::super::requests;
use super::shown::{Moment, span, specs};
use super::{By, Page, Top, made};
use crate::model::{RequestInfo, RequestState};
use crate::server::Server;

/// So many requests are explained one by one; of those behind them their order is told.
const EXPLAINED: usize = 200;

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    top: Top,
    waiting: Vec<Row>,
    leased: Vec<Row>,
}

struct Row {
    info: RequestInfo,
    specs: String,
    length: String,
    since: Moment,
    start: Option<Moment>,
    until: Option<Moment>,
    estimate: Option<Moment>,
}

pub(super) async fn page(State(server): State<Server>, caller: By) -> Page {
    let Extension(caller) = caller;
    let asked = super::super::super::Params(requests::All::default());
    let all = requests::list(State(server.clone()), asked, Extension(caller.clone())).await?.0;
    let (mut waiting, mut leased) = (Vec::new(), Vec::new());
    for info in all {
        if info.state == RequestState::Leased {
            leased.push(row(info));
        } else if waiting.len() < EXPLAINED && !is_explained(&info) {
            // The list tells the order alone.
            let whole = requests::look(&server, info.id, None, &caller).await;
            waiting.push(row(whole.unwrap_or(info)));
        } else {
            waiting.push(row(info));
        }
    }
    made(&QueuePage { top: Top::new("queue", "Queue", &caller), waiting, leased })
}

fn is_explained(info: &RequestInfo) -> bool {
    info.waiting.as_ref().is_some_and(|waiting| !waiting.why.is_empty())
}

fn row(info: RequestInfo) -> Row {
    Row {
        specs: specs(&info.specs),
        length: span(info.length_s * 1000),
        since: Moment(info.since_us.unwrap_or(info.submitted_us)),
        start: info.start_us.map(Moment),
        until: info.until_us.map(Moment),
        estimate: info.waiting.as_ref().and_then(|it| it.estimate_us).map(Moment),
        info,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Waiting;

    /// The page of a lab in which somebody has said this wherever they can.
    fn page(text: &str) -> String {
        let waiting = Waiting {
            position: 1,
            estimate_us: None,
            why: text.to_owned(),
            never: false,
            score: crate::model::Points { priority: 0, waited: 0, used: 0 },
        };
        let info = RequestInfo {
            user: text.to_owned(),
            shared_with: vec![text.to_owned()],
            specs: vec![text.to_owned()],
            reason: Some(text.to_owned()),
            unready: Some(text.to_owned()),
            waiting: Some(waiting),
            ..serde_json::from_str(
                r#"{"id":1,"state":"waiting","user":"","specs":[],"length_s":60,"priority":50,
                    "submitted_us":0}"#,
            )
            .unwrap()
        };
        let top = Top {
            title: text.to_owned(),
            here: "queue",
            user: Some(format!("x{text}")),
            may_write: true,
            controls: true,
        };
        let (waiting, leased) = (vec![row(info.clone())], vec![row(info)]);
        QueuePage { top, waiting, leased }.render().unwrap()
    }

    proptest! {
        /// Nothing that is said ends an attribute or begins an element.
        #[test]
        fn what_people_say_is_text(text in "[<>&\"'/=a-z \\PC]{1,40}") {
            let count = |page: &str| page.matches(['<', '>', '"', '\'']).count();
            // As many of each as on a page on which something harmless is said.
            prop_assert_eq!(count(&page(&text)), count(&page("x")));
        }
    }

    #[test]
    fn as_many_boards_can_be_asked_for_as_a_request_may_have() {
        let most = crate::sched::MAX_BOARDS;
        assert!(page("x").contains(&format!(r#"type="number" min="1" max="{most}""#)));
    }
}
