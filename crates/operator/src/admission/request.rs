//! Reads the request in a review, its objects no deeper than they will be looked at: who manages which field alone is half of
//! an object.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use epiphyte_api::WorkloadKind;
use epiphyte_plan::Manifest;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Version and kind of a review.
pub(super) const API_VERSION: &str = "admission.k8s.io/v1";
pub(super) const KIND: &str = "AdmissionReview";

/// What was asked to be done with an object, as far as it matters to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is created.
    Create,
    /// It is updated.
    Update,
    /// Something that we have no part in.
    Other,
}

impl Operation {
    /// A word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Other => "other",
        }
    }
}

/// The body is no `AdmissionReview` that asks for something.
#[derive(Debug, thiserror::Error)]
pub enum NotAReview {
    /// It is no text.
    #[error("no AdmissionReview of {API_VERSION}: {0}")]
    NoText(#[from] std::str::Utf8Error),
    /// It cannot be read as one.
    #[error("no AdmissionReview of {API_VERSION}: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It is another object.
    #[error("no AdmissionReview of {API_VERSION}")]
    OtherObject,
}

/// What is asked.
#[derive(Default)]
pub(super) struct Request<'a> {
    pub(super) uid: Text<'a>,
    pub(super) kind: GroupVersionKind<'a>,
    pub(super) name: Text<'a>,
    pub(super) namespace: Text<'a>,
    operation: Text<'a>,
    /// The object as it is to be.
    pub(super) object: Option<Object>,
    /// The object as it is, under an update.
    pub(super) old_object: Option<Object>,
}

/// An object of a request.
pub(super) enum Object {
    /// What planning looks at.
    Slim(Box<Manifest>),
    /// What surgery looks at, too.
    Whole(Value),
}

impl Object {
    pub(super) fn whole(self) -> Option<Value> {
        match self {
            Self::Whole(object) => Some(object),
            Self::Slim(_) => None,
        }
    }
}

/// How far the objects of a request are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Depth {
    Unread,
    Slim,
    Whole,
}

/// Text that is borrowed from the body where it has no escapes.
#[derive(Default, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[derive(Default, Deserialize)]
pub(super) struct GroupVersionKind<'a> {
    #[serde(borrow)]
    group: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
}

/// Reads the request; `depth` says for a namespace how far its objects are to be read. The API server tells the namespace
/// before the objects; where it is not known yet it is empty.
pub(super) fn read(body: &str, depth: impl Fn(&str) -> Depth) -> Result<Request<'_>, NotAReview> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let request = ReviewReader { depth }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    request.ok_or(NotAReview::OtherObject)
}

impl Request<'_> {
    pub(super) fn workload_kind(&self) -> Option<WorkloadKind> {
        let GroupVersionKind { group, version, kind } = &self.kind;
        let is_this = |this: &WorkloadKind| **kind == *this.as_str() && **group == *this.group() && **version == *"v1";
        WorkloadKind::ALL.into_iter().find(is_this)
    }

    pub(super) fn operation(&self) -> Operation {
        match &*self.operation {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            _ => Operation::Other,
        }
    }
}

/// What surgery looks at in an object: all but its status, and but the notes on who manages which field.
#[derive(Deserialize)]
struct Editable {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "managedFields")]
    _managed_fields: IgnoredAny,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl From<Editable> for Value {
    fn from(Editable { metadata, spec }: Editable) -> Self {
        let members = [("metadata", Value::Object(metadata.rest)), ("spec", spec)];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

struct ReviewReader<D> {
    depth: D,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum ReviewMember {
    ApiVersion,
    Kind,
    Request,
    #[serde(other)]
    Other,
}

impl<'de, D: Fn(&str) -> Depth> DeserializeSeed<'de> for ReviewReader<D> {
    /// `None` for another object.
    type Value = Option<Request<'de>>;

    fn deserialize<E: Deserializer<'de>>(self, deserializer: E) -> Result<Self::Value, E::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, D: Fn(&str) -> Depth> Visitor<'de> for ReviewReader<D> {
    type Value = Option<Request<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KIND)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut api_version, mut kind, mut request) = (Text::default(), Text::default(), None);
        while let Some(member) = map.next_key()? {
            match member {
                ReviewMember::ApiVersion => api_version = map.next_value()?,
                ReviewMember::Kind => kind = map.next_value()?,
                ReviewMember::Request => request = Some(map.next_value_seed(RequestReader { depth: &self.depth })?),
                ReviewMember::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if *api_version != *API_VERSION || *kind != *KIND {
            return Ok(None);
        }
        request.map(Some).ok_or_else(|| A::Error::missing_field("request"))
    }
}

struct RequestReader<'d, D> {
    depth: &'d D,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum RequestMember {
    Uid,
    Kind,
    Name,
    Namespace,
    Operation,
    Object,
    OldObject,
    #[serde(other)]
    Other,
}

impl<'de, D: Fn(&str) -> Depth> DeserializeSeed<'de> for RequestReader<'_, D> {
    type Value = Request<'de>;

    fn deserialize<E: Deserializer<'de>>(self, deserializer: E) -> Result<Self::Value, E::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, D: Fn(&str) -> Depth> Visitor<'de> for RequestReader<'_, D> {
    type Value = Request<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request of a review")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut request = Request::default();
        while let Some(member) = map.next_key()? {
            match member {
                RequestMember::Uid => request.uid = map.next_value()?,
                RequestMember::Kind => request.kind = map.next_value()?,
                RequestMember::Name => request.name = map.next_value()?,
                RequestMember::Namespace => request.namespace = map.next_value()?,
                RequestMember::Operation => request.operation = map.next_value()?,
                RequestMember::Object => request.object = object(&mut map, (self.depth)(&request.namespace))?,
                RequestMember::OldObject => request.old_object = object(&mut map, (self.depth)(&request.namespace))?,
                RequestMember::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if request.uid.is_empty() {
            return Err(A::Error::missing_field("uid"));
        }
        Ok(request)
    }
}

fn object<'de, A: MapAccess<'de>>(map: &mut A, depth: Depth) -> Result<Option<Object>, A::Error> {
    Ok(match depth {
        Depth::Unread => map.next_value::<IgnoredAny>().map(|_| None)?,
        Depth::Slim => map.next_value::<Option<_>>()?.map(Object::Slim),
        Depth::Whole => map.next_value::<Option<Editable>>()?.map(|object| Object::Whole(object.into())),
    })
}
