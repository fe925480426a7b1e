//! Programming languages as node agents report them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A language found in a container, spelled as in `InstrumentedApplication`.
///
/// Reading never fails: what this build does not know is kept as [`Language::Other`], so that an object written by a newer
/// version, or by hand, is understood as far as it can be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// JVM languages.
    Java,
    /// CPython.
    Python,
    /// Node.js.
    JavaScript,
    /// Go.
    Go,
    /// .NET.
    DotNet,
    /// PHP.
    Php,
    /// Ruby.
    Ruby,
    /// Rust.
    Rust,
    /// C or C++.
    CPlusPlus,
    /// The node agent looked and could not tell.
    Unknown,
    /// A word that this build does not know.
    Other(Box<str>),
}

impl Language {
    /// The languages that this build knows.
    pub const KNOWN: [Self; 10] = [
        Self::Java,
        Self::Python,
        Self::JavaScript,
        Self::Go,
        Self::DotNet,
        Self::Php,
        Self::Ruby,
        Self::Rust,
        Self::CPlusPlus,
        Self::Unknown,
    ];

    /// The word used in `spec.languages[].language`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Go => "go",
            Self::DotNet => "dotnet",
            Self::Php => "php",
            Self::Ruby => "ruby",
            Self::Rust => "rust",
            Self::CPlusPlus => "cplusplus",
            Self::Unknown => "unknown",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for Language {
    fn from(word: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.as_str() == word).unwrap_or_else(|| Self::Other(word.into()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

impl schemars::JsonSchema for Language {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Language".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 63 })
    }
}
