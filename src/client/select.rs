//! Boards by their names or by patterns of them.

use super::ConsoleRef;
use super::lab::{Board, Lab};
use crate::model::{Failure, Glob, Kind, Name, Right};

impl Lab {
    /// The boards that are meant, each once: by name, or all that match a pattern such as `rack*` and
    /// may be used so.
    ///
    /// # Errors
    /// As [`Self::board`] and [`Self::permit`]; [`Kind::User`] when nothing matches a pattern.
    pub async fn select(&self, meant: &[String], need: Right) -> Result<Vec<Board>, Failure> {
        let mut all: Option<Vec<Board>> = None;
        let mut selected: Vec<Board> = Vec::new();
        for text in meant {
            let found = if Glob::is_pattern(text) {
                let glob: Glob = text.parse().map_err(|error| Failure::new(Kind::User, error))?;
                if all.is_none() {
                    all = Some(self.boards().await?);
                }
                let all = all.iter().flatten();
                let found: Vec<Board> =
                    all.filter(|board| glob.matches(board.name.as_str())).cloned().collect();
                let Some(first) = found.first() else {
                    let what = format!("no board matches {text:?} {self}");
                    return Err(Failure::new(Kind::User, what).hint("lava boards lists them"));
                };
                let refused = self.permit(&first.name, need).err();
                let may = |board: &Board| self.permit(&board.name, need).is_ok();
                let found: Vec<Board> = found.into_iter().filter(may).collect();
                match refused {
                    Some(refused) if found.is_empty() => return Err(refused),
                    _ => found,
                }
            } else {
                let board = self.board(text).await?;
                self.permit(&board.name, need)?;
                vec![board]
            };
            for board in found {
                if !selected.contains(&board) {
                    selected.push(board);
                }
            }
        }
        Ok(selected)
    }

    /// The consoles of the boards that are meant. A board that only matches a pattern need not have
    /// one.
    ///
    /// # Errors
    /// As [`Self::select`], and when a board has no console.
    pub async fn consoles(
        &self,
        meant: &[String],
        need: Right,
    ) -> Result<Vec<(Name, ConsoleRef)>, Failure> {
        let mut consoles = Vec::new();
        for Board { name, console, .. } in self.select(meant, need).await? {
            match console {
                Some(console) => consoles.push((name, console)),
                None if meant.iter().any(|text| text == name.as_str()) => {
                    let what = format!("board {name} has no console {self}");
                    return Err(Failure::new(Kind::User, what));
                }
                None => {}
            }
        }
        if consoles.is_empty() {
            return Err(Failure::new(
                Kind::User,
                format!("none of these boards has a console {self}"),
            ));
        }
        Ok(consoles)
    }
}
