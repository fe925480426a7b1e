//! Diagnoses: all that `epiphyte doctor` can find, each with a sentence and the cure. The table of the manual is made of them.
//!
//! In a cure, `{namespace}` and `{name}` stand for those of the object that the diagnosis is about.

use std::fmt;

/// How a part of the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// All is well.
    Well,
    /// It works, and somebody should look at it.
    Warning,
    /// It could not be told.
    NotKnown,
    /// It does not work.
    Broken,
}

impl Health {
    /// A word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Warning => "warning",
            Self::NotKnown => "notKnown",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotKnown => "not known",
            other => other.as_str(),
        })
    }
}

macro_rules! diagnoses {
    ($($name:ident $health:ident $sentence:literal => $cure:literal)*) => {
        /// Something that the doctor found. The name of a variant is its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Diagnosis {
            $(#[doc = $sentence] $name,)*
        }

        impl Diagnosis {
            /// All diagnoses, in the order of the manual.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// How that which it is about is.
            pub const fn health(self) -> Health {
                match self { $(Self::$name => Health::$health,)* }
            }

            /// The diagnosis as a sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }

            /// What the reader can do, with placeholders; empty where there is nothing to do.
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$name => $cure,)* }
            }
        }
    };
}

diagnoses! {
    // Any check.
    NotTold NotKnown "The question could not be answered."
        => "Ask again with the right that is missing, or once the API server answers."
    NothingToCheck NotKnown "What the check is about is not there."
        => "See to what the other checks found, then run `epiphyte doctor` again."

    // The API server.
    ApiServerServes Well "The API server is of a version that Epiphyte runs on, and serves every API that it needs."
        => ""
    ApiServerTooOld Broken "The API server is older than Kubernetes 1.30."
        => "Upgrade the cluster to Kubernetes 1.30 or newer."
    ApiNotServed Broken "The API server does not serve an API that Epiphyte needs."
        => "Turn the API on (`--runtime-config` of the API server), or upgrade the cluster."

    // CustomResourceDefinitions.
    DefinitionsCurrent Well "Every CustomResourceDefinition is the one of this version."
        => ""
    DefinitionMissing Broken "A CustomResourceDefinition is missing."
        => "Run `epiphyte crds | kubectl apply --server-side -f -`."
    DefinitionOutdated Broken "A CustomResourceDefinition lacks what this version has: the API server drops it without a word."
        => "Run `epiphyte crds | kubectl apply --server-side --force-conflicts -f -`."
    DefinitionDiffers Warning "A CustomResourceDefinition is another than the one of this version."
        => "If the operator is newer than this program, ask with its version of `epiphyte`; else run `epiphyte crds | kubectl apply --server-side --force-conflicts -f -`."
    DefinitionNotEstablished Broken "The API server has not taken a CustomResourceDefinition up."
        => "Read why: `kubectl describe crd {name}`."

    // The operator.
    OperatorReady Well "Every replica of the operator is ready."
        => ""
    OperatorMissing Broken "There is no operator."
        => "Install Epiphyte; if it is installed in a namespace that you may not list, name it with `--system-namespace`."
    OperatorScaledToZero Broken "The operator is scaled to zero: nothing is instrumented, and nothing is taken off."
        => "Run `kubectl scale -n {namespace} deployment/{name} --replicas=2`."
    OperatorNotReady Broken "No replica of the operator is ready."
        => "Read why: `kubectl describe pods -n {namespace} -l app.kubernetes.io/name=epiphyte-operator`, and `kubectl logs -n {namespace} deployment/{name} -c manager`."
    OperatorPartlyReady Warning "Some replicas of the operator are not ready."
        => "Read why: `kubectl describe pods -n {namespace} -l app.kubernetes.io/name=epiphyte-operator`."
    OperatorTwice Broken "Operators are installed in several namespaces, and work against each other."
        => "Keep one, and run `epiphyte operator --uninstall --namespace {namespace}` where the other is."
    LeaderWrites Well "One replica leads, and renews its lease."
        => ""
    LeaderMissing Broken "No replica leads: nothing is written."
        => "Read why: `kubectl logs -n {namespace} deployment/epiphyte-operator -c manager`."
    LeaderStale Broken "The lease of the replica that leads has run out: nothing is written."
        => "Read why: `kubectl logs -n {namespace} deployment/epiphyte-operator -c manager`."

    // Nodes.
    NodeAgentsReady Well "The node agent is ready on every node that is to have one."
        => ""
    NodeAgentMissing Broken "There is no node agent: nothing is detected, and no device is on offer."
        => "Install the DaemonSet `epiphyte-node-agent`, with the version that the operator has."
    NodeAgentNotReady Warning "The node agent is not ready on some nodes."
        => "Read why: `kubectl get pods -n {namespace} -o wide -l app.kubernetes.io/name=epiphyte-node-agent`, then `kubectl describe` and `kubectl logs` of the pod."
    DevicesOffered Well "Every ready Linux node offers every device."
        => ""
    NoDevices Broken "No node offers a device: nothing can be instrumented by device."
        => "Look at the node agent: `kubectl logs -A -l app.kubernetes.io/name=epiphyte-node-agent --tail=50`."
    NodeWithoutDevices Warning "A ready node does not offer every device."
        => "Look at the node agent of the node: `kubectl get pods -A -l app.kubernetes.io/name=epiphyte-node-agent --field-selector spec.nodeName={name}`."

    // The webhook.
    WebhookConfigured Well "The API server is told to call the webhook, and trusts the certificate that it serves with."
        => ""
    WebhookMissing Broken "There is no webhook configuration: workloads are instrumented by a second rollout only, and Jobs not at all."
        => "Apply the manifests of the installation again; they have the MutatingWebhookConfiguration `epiphyte`."
    WebhookTwice Warning "Several webhook configurations call a webhook of ours."
        => "Keep the one of the operator that runs: `kubectl delete mutatingwebhookconfiguration {name}`."
    WebhookNotIgnored Warning "The webhook's failurePolicy is not Ignore: where the operator is away, workloads cannot be written."
        => "Apply the manifests of the installation again, or set `failurePolicy: Ignore` in `{name}`."
    BundleMissing Broken "The webhook configuration has no caBundle: the API server does not trust the webhook."
        => "The operator writes it: see that a replica leads, and may patch the MutatingWebhookConfiguration `{name}`."
    BundleWrong Broken "The caBundle of the webhook configuration is not that of the serving certificate: the API server does not trust the webhook."
        => "The operator corrects it within seconds where one leads. If none does, see to that; if something writes another (a GitOps tool, cert-manager), have it leave `caBundle` alone."
    CertificateExpired Broken "A certificate of the webhook is over: the API server does not trust the webhook."
        => "The operator renews it: see that a replica leads, and may patch the Secret `epiphyte-webhook-certificate`; or delete the Secret, and it is made anew."
    CertificateEnding Warning "The webhook's certificate is near its end, and was due for renewal."
        => "The operator renews it at two thirds of its life: see that a replica leads, and may patch the Secret `epiphyte-webhook-certificate`."
    CertificateNotSeen NotKnown "The serving certificate could not be compared with the caBundle."
        => "Ask as somebody who may `get` the Secret `epiphyte-webhook-certificate` in `{namespace}`."
    AdmissionAnswers Well "The webhook answered a dry run through the API server."
        => ""
    AdmissionSilent Broken "A marked object came back from a dry run as it was sent: the API server did not reach the webhook, or the webhook did not know the cluster yet."
        => "See to what is found of the operator and of the webhook configuration; then that the control plane reaches the webhook's pods (port 9443): firewalls and NetworkPolicies."
    AdmissionOfOtherVersion Warning "The webhook that answered is of another version than this program."
        => "Ask with the operator's version of `epiphyte`, or wait until an upgrade is over."

    // Rights.
    RightsGranted Well "The accounts of the operator and of the node agent have every right that they need."
        => ""
    RightMissing Broken "An account lacks a right that it needs."
        => "Apply the roles of the installation again; `docs/reference/permissions.md` says what each right is for."

    // Telemetry.
    CollectorsReady Well "The collectors are ready."
        => ""
    CollectorsMissing Broken "There is no CollectorsGroup: nothing is instrumented by device."
        => "The operator makes `epiphyte-telemetry-proxy` unless its setting `scheduler.enabled` is false: see that a replica leads."
    CollectorsNotReady Broken "A CollectorsGroup is not ready: no device is added, and those that are there go after the grace period."
        => "If it is `epiphyte-telemetry-proxy`: `kubectl logs -n {namespace} deployment/epiphyte-operator -c telemetry-proxy`; else ask whoever keeps it."
    ProxyTakesTelemetry Well "The telemetry proxy answers on its OTLP port."
        => ""
    ProxyTakesNone Broken "The telemetry proxy does not take telemetry."
        => "Read why: `kubectl logs -n {namespace} {name} -c telemetry-proxy`."

    // Time.
    ClocksAgree Well "The clocks of this machine, of the API server and of the operator agree."
        => ""
    ClocksDiffer Warning "Two clocks differ: leases, certificates and the times of telemetry go by them."
        => "Have the machines keep time by NTP (`timedatectl`, `chronyc tracking`)."

    // Others.
    NoNeighbours Well "No other system that instruments the same workloads was found, and nothing is left of an installation."
        => ""
    OtherSystem Warning "Another system that instruments the same workloads is installed."
        => "Keep one of the two: uninstall the other, or see that they are not asked for the same workloads."
    UninstallBegun Warning "Epiphyte is being uninstalled: everything is taken off."
        => "Run `epiphyte operator --uninstall` to go on, or `epiphyte operator --uninstall --cancel` to call it off."
    LeftWithoutOperator Warning "Something of ours is in the cluster, and there is no operator that would see to it."
        => "Install Epiphyte again, or run `epiphyte operator --uninstall`; `epiphyte audit` lists all of it."

    // Workloads.
    LumigoesActive Well "Every Lumigo is active."
        => ""
    LumigoNotActive Warning "A Lumigo is not active: its namespace is not injected."
        => "Do what its condition `Error` says: `kubectl describe lumigo -n {namespace} {name}`."
    RolloutsDone Well "No instrumented workload is stuck in its rollout."
        => ""
    RolloutStuck Warning "The rollout of an instrumented workload does not get on."
        => "Read why: `kubectl describe -n {namespace} {name}`, and `epiphyte explain -n {namespace} {name}`. To take the instrumentation off: `kubectl annotate -n {namespace} {name} odigos.io/instrument=false --overwrite`."
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl Diagnosis {
    /// The table of the manual, in Markdown.
    pub fn table() -> String {
        let shown = |cure: &str| cure.replace('{', "<").replace('}', ">");
        let rows = Self::ALL
            .iter()
            .map(|it| format!("| `{it}` | {} | {} | {} |\n", it.health(), it.sentence(), shown(it.cure())));
        std::iter::once("| finding | health | what it says | what to do |\n|---|---|---|---|\n".to_owned())
            .chain(rows)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Diagnosis, Health};

    #[test]
    fn whatever_is_not_well_has_a_cure_and_what_is_well_needs_none() {
        for it in Diagnosis::ALL {
            assert_eq!(it.health() == Health::Well, it.cure().is_empty(), "{it}");
        }
    }

    #[test]
    fn every_sentence_and_every_cure_is_a_sentence() {
        for it in Diagnosis::ALL {
            assert!(it.sentence().ends_with('.'), "{it}");
            assert!(it.cure().is_empty() || it.cure().ends_with('.'), "{it}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_every_diagnosis() {
        assert_eq!(Diagnosis::table().lines().count(), Diagnosis::ALL.len() + 2);
    }
}
