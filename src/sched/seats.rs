//! Several boards at once: each wish gets a board of its own, or nobody gets any.

use super::BoardIx;

/// Seats every wish on one of its boards, no board twice, if that can be done: a maximum matching by
/// augmenting paths. `boards(wish)` gives what suits it, the best first.
pub(super) fn seat<I: Iterator<Item = BoardIx>>(
    wishes: usize,
    boards: impl Fn(usize) -> I,
) -> Option<Vec<BoardIx>> {
    let mut seated: Vec<(BoardIx, usize)> = Vec::with_capacity(wishes);
    for wish in 0..wishes {
        let mut tried = Vec::new();
        if !find(wish, &boards, &mut seated, &mut tried) {
            return None;
        }
    }
    let mut all = vec![BoardIx(0); wishes];
    for (board, wish) in seated {
        all[wish] = board;
    }
    Some(all)
}

/// Finds a board for a wish; who sits on it may have to move to another one.
fn find<I: Iterator<Item = BoardIx>>(
    wish: usize,
    boards: &impl Fn(usize) -> I,
    seated: &mut Vec<(BoardIx, usize)>,
    tried: &mut Vec<BoardIx>,
) -> bool {
    let mut taken = Vec::new();
    for board in boards(wish) {
        match seated.iter().position(|(other, _)| *other == board) {
            None => {
                seated.push((board, wish));
                return true;
            }
            Some(at) => taken.push((board, at)),
        }
    }
    for (board, at) in taken {
        if tried.contains(&board) {
            continue;
        }
        tried.push(board);
        let sits = seated[at].1;
        if find(sits, boards, seated, tried) {
            // The one who sat there has been seated anew at the end of the list.
            let at = seated.iter().position(|seat| *seat == (board, sits));
            if let Some(at) = at {
                seated[at] = (board, wish);
            }
            return true;
        }
    }
    false
}
