//! A small mutator for what libFuzzer cannot watch: seeded, so that a run can be repeated. It knows nothing of
//! coverage, and so starts from inputs that a fuzzer which does has kept.

/// Numbers that look random and are not (xorshift64*, Vigna 2016).
#[derive(Debug, Clone)]
pub struct Mutator(u64);

/// What JSON, tokens and URLs turn on.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b".",
    b"=",
    b"-",
    b"_",
    b"/",
    b"//",
    b"@",
    b"%",
    b"\0",
    b"\n",
    b"\t",
    b" ",
    b"null",
    b"true",
    b"0",
    b"-0",
    b"1e400",
    b"1.0",
    b"9223372036854775808",
    b"\\u0000",
    b"\\ud800",
    b"\\u0061",
    b"\"alg\":",
    b"\"typ\":",
    b"\"kid\":",
    b"\"crit\":[]",
    b"\"aud\":",
    b"\"sub\":",
    b"\"jti\":",
    b"\"exp\":",
    b"\"iss\":",
    b"\xef\xbb\xbf",
    b"\xc0\x80",
    b"\xff",
    b"\xe2\x80\x8b",
    b"AAAA",
    b"none",
    b"EdDSA",
    b"https://",
];

impl Mutator {
    /// From a seed, which must not be zero.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or(0) % end.max(1)
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// An input with one to four things changed; `other` lends a part.
    pub fn change(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut changed = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(changed.len() + 1);
            let end = (at + self.below(16)).min(changed.len());
            match self.below(7) {
                0 if at < changed.len() => changed[at] ^= 1 << self.below(8),
                1 => drop(changed.drain(at..end)),
                2 => {
                    let part = changed[at..end].to_vec();
                    changed.splice(at..at, part);
                }
                3 => {
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(64)).min(other.len());
                    changed.splice(at..end, other[from..to].iter().copied());
                }
                4 => {
                    let piece = *self.pick(PIECES);
                    changed.splice(at..end, piece.iter().copied());
                }
                _ => {
                    let piece = *self.pick(PIECES);
                    changed.splice(at..at, piece.iter().copied());
                }
            }
        }
        changed
    }
}
