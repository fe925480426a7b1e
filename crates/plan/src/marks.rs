//! Marks: what people wrote to turn instrumentation on or off.

/// The annotation `odigos.io/instrument`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Annotation {
    /// `"true"`.
    On,
    /// `"false"`.
    Off,
    /// Anything else, which counts as off.
    Invalid(Box<str>),
}

impl From<&str> for Annotation {
    fn from(value: &str) -> Self {
        match value {
            "true" => Self::On,
            "false" => Self::Off,
            other => Self::Invalid(other.into()),
        }
    }
}

/// The label `lumigo.auto-trace` on a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoTraceLabel {
    /// `true`, in any case: a mark.
    On,
    /// `false`, in any case: a mark.
    Off,
    /// A version of the operator: written by us, no mark.
    Version,
    /// Anything else: no mark.
    Other,
}

impl From<&str> for AutoTraceLabel {
    fn from(value: &str) -> Self {
        if value.eq_ignore_ascii_case("true") {
            Self::On
        } else if value.eq_ignore_ascii_case("false") {
            Self::Off
        } else if value.starts_with(epiphyte_api::names::AUTO_TRACE_VERSION_PREFIX) {
            Self::Version
        } else {
            Self::Other
        }
    }
}

/// The annotation `epiphyte.dev/delivery` on a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryMark {
    /// `device` or `injector`.
    Chosen(crate::Delivery),
    /// Anything else, which is ignored.
    Invalid(Box<str>),
}

impl From<&str> for DeliveryMark {
    fn from(value: &str) -> Self {
        match value {
            "device" => Self::Chosen(crate::Delivery::Device),
            "injector" => Self::Chosen(crate::Delivery::Injector),
            other => Self::Invalid(other.into()),
        }
    }
}
