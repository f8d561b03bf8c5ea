//! What a person can have `lava top` do, and the keys for it.

use crate::wire::keyboard::{Code, Key};

/// Something that a key does. What it means depends on what is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Quit,
    Help,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Mark,
    Find,
    Next,
    Previous,
    SearchAll,
    Sort,
    Reverse,
    Type,
    Leave,
    Back,
    NextPane,
    PreviousPane,
    Zoom,
    Past,
    Timeline,
    Power,
    Message,
    Break,
    Force,
    Release,
    Refresh,
    Redraw,
    Suspend,
}

/// What is said of an action.
#[derive(Debug)]
pub struct About {
    pub action: Action,
    /// Its name in `[keys]`.
    pub name: &'static str,
    /// Its keys when nothing else is settled.
    pub keys: &'static [&'static str],
    pub help: &'static str,
}

impl About {
    /// Whether a key cannot be had for it, because what is typed at a board needs it.
    pub(super) fn is_typed_with(&self, key: Key) -> bool {
        let Key { code, ctrl, alt, .. } = key;
        let typed = matches!(code, Code::Char(_) | Code::Enter | Code::Tab | Code::Backspace);
        self.action == Action::Leave && typed && !ctrl && !alt
    }
}

const fn about(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> About {
    About { action, name, keys, help }
}

/// All of them, as the help lists them.
pub const ACTIONS: &[About] = &[
    about(Action::Up, "up", &["up", "k"], "one up"),
    about(Action::Down, "down", &["down", "j"], "one down"),
    about(Action::PageUp, "page-up", &["page-up"], "a page up; in a console, into its past"),
    about(Action::PageDown, "page-down", &["page-down"], "a page down"),
    about(Action::Top, "top", &["home", "g"], "to the first; of a past, the oldest that is held"),
    about(Action::Bottom, "bottom", &["end", "G"], "to the last; of a past, back to now"),
    about(Action::Open, "open", &["enter"], "the board's console, or of all marked boards"),
    about(Action::Mark, "mark", &["space"], "mark a board, to open several beside each other"),
    about(Action::Find, "find", &["/"], "filter the boards; in a console, search its whole record"),
    about(Action::Next, "next", &["n"], "the next place that was found"),
    about(Action::Previous, "previous", &["N"], "the one before"),
    about(Action::SearchAll, "search-all", &["S"], "search the records of all boards"),
    about(Action::Sort, "sort", &["s"], "sort by another column"),
    about(Action::Reverse, "reverse", &["r"], "sort the other way round"),
    about(Action::Type, "type", &["i"], "type at the console (so does enter)"),
    about(Action::Leave, "leave", &["ctrl-]"], "stop typing at the console"),
    about(Action::Back, "back", &["esc", "backspace"], "back to what was before; unmark"),
    about(Action::NextPane, "next-pane", &["tab"], "the next console"),
    about(Action::PreviousPane, "previous-pane", &["shift-tab"], "the one before"),
    about(Action::Zoom, "zoom", &["z"], "one console alone, or all of them"),
    about(Action::Past, "past", &["b"], "what the console printed before"),
    about(Action::Timeline, "timeline", &["t"], "what happened: power, people, jobs, breaks"),
    about(Action::Power, "power", &["p"], "switch the board, or ask for its state"),
    about(Action::Message, "message", &["m"], "tell everyone on the console something"),
    about(Action::Break, "break", &["B"], "send the board a break (SysRq, U-Boot)"),
    about(Action::Force, "force", &["F"], "take the console from who has it"),
    about(Action::Release, "release", &["R"], "give it back"),
    about(Action::Refresh, "refresh", &["u"], "look for boards, and ask the outlets"),
    about(Action::Redraw, "redraw", &["ctrl-l"], "draw the screen again"),
    about(Action::Help, "help", &["?", "f1"], "this help"),
    about(Action::Suspend, "suspend", &["ctrl-z"], "stop this program, until its shell goes on"),
    about(Action::Quit, "quit", &["q", "ctrl-c"], "leave"),
];
