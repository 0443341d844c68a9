//! Bytes to values: the envelope of a change set and the blobs inside it.
//!
//! Decoding is strict: an unknown field, a wrong type or bytes after the value are errors. Networks travel as text
//! (`10.0.0.0/8`), hence the human-readable flavour of msgpack.

use crate::schema::{ChangeSet, VERSION};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A change set that cannot be used at all. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The other side speaks another version of the schema.
    #[error("this change set has schema version {found}, and this build reads version {VERSION}")]
    Version {
        /// The version it states.
        found: u32,
    },
    /// The bytes are not a change set.
    #[error("not a change set: {0}")]
    Envelope(Box<str>),
}

impl ChangeSet {
    /// Decodes a change set; the values in it stay undecoded.
    ///
    /// # Errors
    /// [`SchemaError::Version`] if it is of another version, [`SchemaError::Envelope`] if it is no change set.
    pub fn decode(bytes: &[u8]) -> Result<Self, SchemaError> {
        let change: Self = match value(bytes) {
            Ok(change) => change,
            Err(error) => return Err(other_version(bytes).unwrap_or(SchemaError::Envelope(error))),
        };
        change.check_version()?;
        Ok(change)
    }

    pub(crate) fn check_version(&self) -> Result<(), SchemaError> {
        if self.version == VERSION {
            Ok(())
        } else {
            Err(SchemaError::Version { found: self.version })
        }
    }
}

/// Another version may have other fields, so its number is what to report.
fn other_version(bytes: &[u8]) -> Option<SchemaError> {
    #[derive(Deserialize)]
    struct Stated {
        version: u32,
    }
    let found = value::<Stated>(bytes).ok()?.version;
    (found != VERSION).then_some(SchemaError::Version { found })
}

/// One msgpack value and nothing after it. The error is a sentence without the bytes themselves.
pub(crate) fn value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Box<str>> {
    let mut reader = rmp_serde::Deserializer::new(bytes).with_human_readable();
    let value = T::deserialize(&mut reader).map_err(|error| error.to_string())?;
    match reader.get_ref().len() {
        0 => Ok(value),
        left => Err(format!("{left} bytes follow the value").into()),
    }
}
