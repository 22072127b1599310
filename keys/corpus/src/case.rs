//! One case of `tokens.toml`, where the members are explained.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Raw JSON by member; an empty text leaves the member out.
pub(crate) type Members = BTreeMap<String, String>;

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence, unique.
    pub name: String,
    /// Where the attack, or the rule it breaks, is described.
    pub source: String,
    /// `accepted`, or the cause; a cause about a claim is followed by the claim: `claim_type:aud`.
    pub expected: String,
    /// Which kind of token it is presented as.
    #[serde(default)]
    pub kind: Kind,
    #[serde(default)]
    pub(crate) header: Members,
    #[serde(default)]
    pub(crate) claims: Members,
    pub(crate) header_text: Option<String>,
    pub(crate) claims_text: Option<String>,
    pub(crate) size: Option<usize>,
    pub(crate) left_over: Option<Part>,
    #[serde(default)]
    pub(crate) signer: Signer,
    #[serde(default)]
    pub(crate) secret: String,
    #[serde(default)]
    pub(crate) over: Over,
    pub(crate) signature: Option<Tweak>,
    pub(crate) signature_length: Option<usize>,
    #[serde(default)]
    pub(crate) shown_header: Members,
    #[serde(default)]
    pub(crate) shown_claims: Members,
    pub(crate) presented: Option<String>,
}

/// The kinds of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Brings a customer to a site.
    #[default]
    Handoff,
    /// Proves which site asks.
    Site,
    /// Tells a site that there is something to pull.
    Poke,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Header,
    Claims,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signer {
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
pub(crate) enum Over {
    #[default]
    Input,
    Header,
    Claims,
    Decoded,
    Sha512,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tweak {
    PlusOrder,
    HighBits,
    NegateS,
    SwapHalves,
    FlipRSign,
}
