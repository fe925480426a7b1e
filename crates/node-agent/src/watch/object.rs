//! Watched objects, read for what the agent wants of them.

use std::borrow::Cow;
use std::fmt::Debug;

use kube::Resource;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

/// How the API server serves a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
}

/// What the agent wants of objects of one kind.
pub(crate) trait Watched: DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// How the API server serves the kind.
    const SERVED: Served;
    /// Whether an object may be of a shape that cannot be read, as those of a CustomResourceDefinition that somebody else
    /// installed. Such an object is skipped; reading twice is too dear for the kinds that the API server vouches for.
    const GUARDED: bool;
    /// Namespace and name of the object.
    fn key(&self) -> Key;
    /// The object's version.
    fn version(&self) -> &str;
}

/// A watched object, as far as it could be read.
#[derive(Clone, Debug)]
pub(crate) struct Object<T> {
    /// Name, namespace and version only.
    metadata: ObjectMeta,
    /// What it says, or why that could not be read.
    pub(crate) content: Result<T, String>,
}

impl<T> Object<T> {
    /// Namespace and name of the object.
    pub(crate) fn key(&self) -> Key {
        Key {
            namespace: self.metadata.namespace.as_deref().unwrap_or_default().into(),
            name: self.metadata.name.as_deref().unwrap_or_default().into(),
        }
    }
}

/// Of an object that cannot be read otherwise, what names it.
#[derive(Deserialize)]
struct Unread {
    metadata: ObjectMeta,
}

impl<'de, T: Watched> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !T::GUARDED {
            return T::deserialize(deserializer).map(Self::of);
        }
        let value = serde_json::Value::deserialize(deserializer)?;
        T::deserialize(&value).map(Self::of).or_else(|error| {
            let Unread { metadata } = Unread::deserialize(&value).map_err(D::Error::custom)?;
            Ok(Self { metadata, content: Err(error.to_string()) })
        })
    }
}

impl<T: Watched> Object<T> {
    fn of(content: T) -> Self {
        let Key { namespace, name } = content.key();
        let metadata = ObjectMeta {
            name: Some(name.into()),
            namespace: Some(namespace.into()),
            resource_version: Some(content.version().to_owned()),
            ..ObjectMeta::default()
        };
        Self { metadata, content: Ok(content) }
    }
}

impl<T: Watched> Serialize for Object<T> {
    /// Objects are read only; kube's bounds ask for this.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.metadata.serialize(serializer)
    }
}

impl<T: Watched> Resource for Object<T> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        T::SERVED.kind.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        T::SERVED.group.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        T::SERVED.version.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        T::SERVED.plural.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
