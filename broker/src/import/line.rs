//! One line: the body of a `PUT`, and the subject in it.

use std::cell::RefCell;
use std::fmt;

use gatepass_core::Subject;
use gatepass_core::member::Wanted;
use gatepass_core::validate::{FieldError, FieldErrors};
use gatepass_http::body;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

/// What a line says.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) subject: Subject,
    pub(super) wanted: Wanted,
}

/// Reads a line as strictly as a request's body.
pub(super) fn parse(text: &[u8]) -> Result<Member, (Option<Subject>, FieldErrors)> {
    let Parsed { subject, wanted } = body::parse(text).map_err(|problem| (None, problem.into_errors()))?;
    match subject {
        Some(subject) => Ok(Member { subject, wanted }),
        None => Err((None, vec![FieldError::new("subject", "required", "whom this is about")])),
    }
}

struct Parsed {
    subject: Option<Subject>,
    wanted: Wanted,
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Takes the subject out, and gives the rest to [`Wanted`], which so says itself what it does not know. (Serde's own way
/// to do this, `flatten`, forgets where a mistake was made, and takes what stands there twice.)
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member with its subject")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Parsed, A::Error> {
        let subject = RefCell::new(None);
        let rest = WithoutSubject { members, subject: &subject };
        let wanted = Wanted::deserialize(MapAccessDeserializer::new(rest))?;
        Ok(Parsed { subject: subject.into_inner(), wanted })
    }
}

struct WithoutSubject<'a, A> {
    members: A,
    subject: &'a RefCell<Option<Subject>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutSubject<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        while let Some(key) = self.members.next_key_seed(KeySeed(seed))? {
            match key {
                Key::Other(name) => return Ok(Some(name)),
                Key::Subject(unused) => seed = unused,
            }
            if self.subject.replace(Some(self.members.next_value()?)).is_some() {
                return Err(A::Error::duplicate_field("subject"));
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

/// A name, if it is not the subject's; else the seed is still to be used.
enum Key<K, V> {
    Subject(K),
    Other(V),
}

/// Within the reader that keeps account of where it is, so that a name which is not known is named.
struct KeySeed<K>(K);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for KeySeed<K> {
    type Value = Key<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        let name = String::deserialize(name)?;
        if name == "subject" {
            return Ok(Key::Subject(self.0));
        }
        self.0.deserialize(name.into_deserializer()).map(Key::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (String, String) {
        let (_, errors) = parse(text.as_bytes()).unwrap_err();
        (errors[0].field.clone(), errors[0].message.clone())
    }

    #[test]
    fn the_subject_stands_anywhere_and_the_rest_is_a_members() {
        for text in [
            r#"{"subject":"mia","email":"mia@example.com","membership":{"status":"active"}}"#,
            r#"{"email":"mia@example.com","membership":{"status":"active"},"subject":"mia"}"#,
        ] {
            let member = parse(text.as_bytes()).unwrap();
            assert_eq!((member.subject.as_str(), member.wanted.email.as_str()), ("mia", "mia@example.com"));
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_field() {
        for (text, field, message) in [
            (r#"{"email":"a@b.de","membership":{"status":"active"}}"#, "subject", "whom"),
            (r#"{"subject":"a b","email":"a@b.de"}"#, "subject", "1 to 128 characters"),
            (r#"{"subject":"a","subject":"b"}"#, ".", "duplicate field `subject`"),
            (r#"{"subject":"a","email":"a@b.de"}"#, ".", "missing field `membership`"),
            (r#"{"subject":"a","email":7}"#, "email", "invalid type"),
            (r#"{"subject":"a","admin":true}"#, "admin", "unknown field `admin`"),
            (r#"{"subject":"a","email":"a@b.de","email":"c@d.de"}"#, ".", "duplicate field `email`"),
            (r#"{"subject":"a","membership":{"status":"gold"}}"#, "membership.status", "unknown variant"),
            (r#"{"subject":"a","membership":["active"]}"#, "membership", "invalid type"),
            ("rubbish", ".", "this is not JSON"),
            ("[]", ".", "expected an object"),
            ("{} {}", ".", "missing field"),
            ("\u{feff}{}", ".", "this is not JSON"),
        ] {
            let (said_field, said) = refused(text);
            assert!(said.contains(message), "{text}: {said}");
            assert!(
                said_field == field || field.is_empty() && said_field == ".",
                "{text}: {said_field}: {said}"
            );
        }
        assert!(parse(b"{\"subject\":\"a\xff\"}").is_err());
    }
}
