//! Cuts a stream of bytes into lines, none of which is ever longer in memory than it may be.

/// The longest line, in bytes. A member with all its fields at their limits is under 8 KiB.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// All of it, without its end.
    Whole {
        /// Which, from 1.
        number: u64,
        /// Its bytes.
        text: &'a [u8],
    },
    /// More than anybody wants to read. The rest of it is passed over.
    TooLong {
        /// Which, from 1.
        number: u64,
    },
}

/// The lines of what comes piece by piece.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    /// Whether the line that has begun is too long, and was told of.
    passing_over: bool,
    number: u64,
}

impl Lines {
    /// Takes the next piece, and gives what lines end in it; one that has become too long at once. What `found` returns
    /// is whether to go on; if not, the answer is how many bytes of the piece were taken.
    pub fn feed(&mut self, piece: &[u8], mut found: impl FnMut(Line<'_>) -> bool) -> usize {
        let mut taken = 0;
        while let Some(rest) = piece.get(taken..).filter(|rest| !rest.is_empty()) {
            let (part, ends) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (rest.get(..end).unwrap_or_default(), true),
                None => (rest, false),
            };
            taken += part.len() + usize::from(ends);
            let mut go_on = true;
            if !self.passing_over {
                if self.begun.len() + part.len() > MAX_LINE_BYTES {
                    self.begun.clear();
                    self.passing_over = true;
                    go_on = found(Line::TooLong { number: self.number + 1 });
                } else {
                    self.begun.extend_from_slice(part);
                }
            }
            if ends {
                go_on &= self.end(&mut found);
            }
            if !go_on {
                return taken;
            }
        }
        taken
    }

    /// There is no more: what stands behind the last line's end is a line, too.
    pub fn finish(&mut self, mut found: impl FnMut(Line<'_>) -> bool) {
        if !self.begun.is_empty() {
            self.end(&mut found);
        }
    }

    fn end(&mut self, found: &mut impl FnMut(Line<'_>) -> bool) -> bool {
        self.number += 1;
        let text = self.begun.strip_suffix(b"\r").unwrap_or(&self.begun);
        let go_on = self.passing_over || found(Line::Whole { number: self.number, text });
        self.begun.clear();
        self.passing_over = false;
        go_on
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of a text that comes in pieces of this size.
    fn cut(text: &[u8], size: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        let mut take = |line: Line<'_>| {
            found.push(match line {
                Line::Whole { number, text } => (number, Some(text.to_owned())),
                Line::TooLong { number } => (number, None),
            });
            true
        };
        for piece in text.chunks(size) {
            assert_eq!(lines.feed(piece, &mut take), piece.len());
            assert!(lines.begun.capacity() <= 2 * MAX_LINE_BYTES);
        }
        lines.finish(take);
        found
    }

    #[test]
    fn one_endless_line_is_told_of_once_and_kept_nowhere() {
        let text = [&vec![b'x'; 3 * MAX_LINE_BYTES][..], b"\nb\n"].concat();
        for size in [1000, 64 * 1024, text.len()] {
            assert_eq!(cut(&text, size), [(1, None), (2, Some(b"b".to_vec()))], "{size}");
        }
        assert_eq!(cut(&vec![b'x'; 3 * MAX_LINE_BYTES], 4096), [(1, None)]);
        let longest = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(cut(&longest, 4096), [(1, Some(longest))]);
    }

    #[test]
    fn it_can_stop_after_any_line_and_go_on() {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        let mut rest = &b"a\nb\r\n\nd"[..];
        while !rest.is_empty() {
            let taken = lines.feed(rest, |line| {
                found.push(format!("{line:?}"));
                false
            });
            rest = &rest[taken..];
        }
        lines.finish(|line| {
            found.push(format!("{line:?}"));
            true
        });
        assert_eq!(found.len(), 4, "{found:?}");
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_makes_no_difference(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            size in 1..50_usize,
        ) {
            let mut expected: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            let expected: Vec<_> = expected
                .into_iter()
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
                .zip(1..)
                .map(|(line, number)| (number, Some(line)))
                .collect();
            prop_assert_eq!(cut(&text, size), expected);
        }
    }
}
