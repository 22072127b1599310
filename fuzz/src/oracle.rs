//! JSON read a second time, by other rules than the program's own: what it accepted must also hold here.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A value in which no object has a member twice, at any depth.
struct Unambiguous;

/// Whether a text is one JSON value with no member twice.
pub fn is_unambiguous(json: &[u8]) -> bool {
    serde_json::from_slice::<Unambiguous>(json).is_ok()
}

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Unambiguous, A::Error> {
        while array.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Unambiguous, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = object.next_key::<String>()? {
            object.next_value::<Unambiguous>()?;
            if !names.insert(name) {
                return Err(A::Error::custom("twice"));
            }
        }
        Ok(Unambiguous)
    }
}

/// The members of requests that are lists, and those that are objects.
const LISTS: [&str; 2] = ["roles", "allowed_roles"];
const OBJECTS: [&str; 7] = ["membership", "consent", "policy", "versions", "public_key", "actor", "checks"];

/// Panics unless a body that was accepted has the one shape that is documented: an object, lists and objects only
/// where there are any, and nothing twice.
pub fn assert_shape(body: &[u8]) {
    assert!(is_unambiguous(body), "a member twice was accepted");
    let value: Value = serde_json::from_slice(body).expect("what was accepted is JSON");
    assert!(value.is_object(), "something else than an object was accepted");
    assert_shape_within(&value);
}

fn assert_shape_within(object: &Value) {
    for (name, value) in object.as_object().into_iter().flatten() {
        assert!(!value.is_array() || LISTS.contains(&name.as_str()), "a list was accepted for {name}");
        assert!(!value.is_object() || OBJECTS.contains(&name.as_str()), "an object was accepted for {name}");
        for item in value.as_array().into_iter().flatten() {
            assert!(item.is_string(), "{name} took {item}");
        }
        assert_shape_within(value);
    }
}
