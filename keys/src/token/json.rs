//! A JSON reader for what a stranger may have written.
//!
//! `serde_json` keeps the last of two members of one name, other parsers keep the first. A token that reads
//! differently in two places is an attack (RFC 7515 section 10.12), so duplicates are refused at every depth, also
//! inside members nobody looks at.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::TokenError;

/// How deep objects and lists may be nested; the outermost object is the first. An embedded `jwk`, which is
/// ignored, needs two.
const MAX_DEPTH: usize = 8;

/// The members of the outermost object.
pub(super) type Object = BTreeMap<String, Member>;

/// A value, as far as any token needs it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// A string.
    Text(String),
    /// A number without sign, fraction and exponent.
    Integer(u64),
    /// Anything else; it was well-formed.
    Other,
}

/// Reads one JSON object and nothing after it.
pub(super) fn parse_object(json: &[u8]) -> Result<Object, TokenError> {
    let refusal = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = Reader { depth: 0, refusal: &refusal }.deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Plain(_)) => Err(TokenError::NotAnObject),
        Err(_) => Err(refusal.take().unwrap_or(TokenError::Json)),
    }
}

enum Value {
    Object(Object),
    Plain(Member),
}

/// Reads one value. serde's errors are texts, so a refusal that has a name of its own goes out by the side.
#[derive(Clone, Copy)]
struct Reader<'a> {
    depth: usize,
    refusal: &'a Cell<Option<TokenError>>,
}

impl Reader<'_> {
    fn refuse<E: de::Error>(self, refusal: TokenError) -> E {
        self.refusal.set(Some(refusal));
        E::custom(refusal)
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(TokenError::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Object::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(self.refuse(TokenError::DuplicateMember));
            }
            let member = match map.next_value_seed(inner)? {
                Value::Plain(member) => member,
                Value::Object(_) => Member::Other,
            };
            members.insert(name, member);
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(Value::Plain(Member::Other))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Plain(Member::Text(text.to_owned())))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Plain(Member::Integer(number)))
    }

    fn visit_i64<E: de::Error>(self, _negative: i64) -> Result<Value, E> {
        Ok(Value::Plain(Member::Other))
    }

    fn visit_f64<E: de::Error>(self, _number: f64) -> Result<Value, E> {
        Ok(Value::Plain(Member::Other))
    }

    fn visit_bool<E: de::Error>(self, _value: bool) -> Result<Value, E> {
        Ok(Value::Plain(Member::Other))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Plain(Member::Other))
    }
}
