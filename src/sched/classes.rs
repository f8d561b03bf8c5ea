//! Kinds of boards: which boards answer to a description, for those of a group.

use super::lab::Place;
use super::{BoardIx, Class, Lab, Spec};

#[derive(Debug, Clone)]
pub(super) struct Kind {
    pub(super) spec: Spec,
    pub(super) group: Option<String>,
    /// The boards that answer, the plainest first: what is special is left for who asks for it.
    pub(super) boards: Vec<BoardIx>,
}

impl Place {
    fn is_for(&self, kind: &Kind) -> bool {
        let groups = &self.board.groups;
        let open =
            groups.is_empty() || kind.group.as_ref().is_some_and(|group| groups.contains(group));
        self.there && open && kind.spec.answers(&self.board.traits)
    }

    /// Boards that answer to much are asked for by name of what they have.
    fn special(&self) -> usize {
        self.board.traits.tags.len() + self.board.traits.attributes.len()
    }
}

impl Lab {
    /// The class of what a group asks for.
    pub fn class(&mut self, spec: &Spec, group: Option<&str>) -> Class {
        let key = (spec.clone(), group.map(str::to_owned));
        if let Some(class) = self.by_kind.get(&key) {
            return *class;
        }
        let mut kind = Kind { spec: key.0.clone(), group: key.1.clone(), boards: Vec::new() };
        kind.boards = answering(&self.boards, &kind);
        let class = Class(self.classes.len());
        self.classes.push(kind);
        self.by_kind.insert(key, class);
        class
    }

    /// Lets a group have boards.
    pub fn admit(&mut self, group: &str, boards: &[BoardIx]) {
        for board in boards {
            self.boards[board.0].board.groups.insert(group.to_owned());
        }
        self.sort_anew(group);
    }

    /// Lets a group have boards no more. What it has, it keeps.
    pub fn dismiss(&mut self, group: &str, boards: &[BoardIx]) {
        for board in boards {
            self.boards[board.0].board.groups.remove(group);
        }
        self.sort_anew(group);
    }

    /// Finds the boards of a group's classes anew.
    fn sort_anew(&mut self, group: &str) {
        let Self { boards, classes, .. } = self;
        for kind in classes.iter_mut().filter(|kind| kind.group.as_deref() == Some(group)) {
            kind.boards = answering(boards, kind);
        }
    }

    /// Puts a board where it belongs in all classes.
    pub(super) fn sort_in(&mut self, ix: BoardIx) {
        let Self { boards, classes, .. } = self;
        for kind in classes {
            kind.boards.retain(|board| *board != ix);
            if boards[ix.0].is_for(kind) {
                let special = boards[ix.0].special();
                let at = kind.boards.partition_point(|board| boards[board.0].special() <= special);
                kind.boards.insert(at, ix);
            }
        }
    }
}

/// The boards that answer, the plainest first.
fn answering(boards: &[Place], kind: &Kind) -> Vec<BoardIx> {
    let answers = |ix: &usize| boards[*ix].is_for(kind);
    let mut found: Vec<_> = (0..boards.len()).filter(answers).map(BoardIx).collect();
    found.sort_by_key(|board| boards[board.0].special());
    found
}
