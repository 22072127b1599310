//! One case of `tokens.toml`, where the members are explained.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Raw JSON by member; an empty text leaves the member out.
pub(super) type Members = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) expected: String,
    #[serde(default)]
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) header: Members,
    #[serde(default)]
    pub(super) claims: Members,
    pub(super) header_text: Option<String>,
    pub(super) claims_text: Option<String>,
    pub(super) size: Option<usize>,
    pub(super) left_over: Option<Part>,
    #[serde(default)]
    pub(super) signer: Signer,
    #[serde(default)]
    pub(super) secret: String,
    #[serde(default)]
    pub(super) over: Over,
    pub(super) signature: Option<Tweak>,
    pub(super) signature_length: Option<usize>,
    #[serde(default)]
    pub(super) shown_header: Members,
    #[serde(default)]
    pub(super) shown_claims: Members,
    pub(super) presented: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    #[default]
    Handoff,
    Site,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Header,
    Claims,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signer {
    #[default]
    Active,
    Stranger,
    None,
    Zeros,
    Ones,
    Hs256,
    Hs512,
    SmallOrderR,
    NeutralKey,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Over {
    #[default]
    Input,
    Header,
    Claims,
    Decoded,
    Sha512,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tweak {
    PlusOrder,
    HighBits,
    NegateS,
    SwapHalves,
    FlipRSign,
}
