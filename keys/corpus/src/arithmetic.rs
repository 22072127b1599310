//! Whole numbers of 256 bits and residues modulo the order of the group: slow, and enough to forge with.

/// The order of the group, in little-endian bytes (RFC 8032 section 5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// `a + L`, which must fit.
pub(crate) fn plus_order(a: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    let mut sum = [0; 32];
    for at in 0..32 {
        let digit = u16::from(a[at]) + u16::from(L[at]) + carry;
        sum[at] = digit.to_le_bytes()[0];
        carry = digit >> 8;
    }
    assert_eq!(carry, 0);
    sum
}

/// `L - a`, for `a` below `L`.
pub(crate) fn negated(a: [u8; 32]) -> [u8; 32] {
    minus(L, a).unwrap()
}

/// The residue of a number of any length.
pub(crate) fn reduced(number: &[u8]) -> [u8; 32] {
    let mut residue = [0; 32];
    for bit in bits(number) {
        residue = add(residue, residue);
        if bit {
            let mut one = [0; 32];
            one[0] = 1;
            residue = add(residue, one);
        }
    }
    residue
}

/// The product of two residues.
pub(crate) fn product(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let mut product = [0; 32];
    for bit in bits(&a) {
        product = add(product, product);
        if bit {
            product = add(product, b);
        }
    }
    product
}

/// The sum of two residues.
fn add(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    // a + b < L exactly if a < L - b.
    minus(a, negated(b)).unwrap_or_else(|| {
        let mut carry = 0;
        std::array::from_fn(|at| {
            let digit = u16::from(a[at]) + u16::from(b[at]) + carry;
            carry = digit >> 8;
            digit.to_le_bytes()[0]
        })
    })
}

/// `a - b`, unless that is negative.
fn minus(a: [u8; 32], b: [u8; 32]) -> Option<[u8; 32]> {
    let mut borrow = false;
    let difference = std::array::from_fn(|at| {
        let (digit, under) = a[at].overflowing_sub(b[at]);
        let (digit, under_again) = digit.overflowing_sub(u8::from(borrow));
        borrow = under || under_again;
        digit
    });
    (!borrow).then_some(difference)
}

/// The bits of a little-endian number, highest first.
fn bits(number: &[u8]) -> impl Iterator<Item = bool> {
    number.iter().rev().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1))
}
