//! Whether the API server is told to call the webhook, and trusts what it serves with.

use epiphyte_api::names::WEBHOOK_SECRET;
use epiphyte_api::{Diagnosis, Health};
use epiphyte_operator::admission::{Certificate, Target, WEBHOOK, read_certificates};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde::Deserialize as _;
use serde_json::Value;

use super::patient::{Patient, Secrets};
use super::report::{Finding, Looked};
use crate::audit::{SECRETS, WEBHOOKS, has_our_webhook, text};
use crate::cluster::Refusal;

/// What a renewal that is due may take before somebody should look.
const RENEWAL: SignedDuration = SignedDuration::from_mins(2);

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let configurations = configurations(patient).await?;
    if configurations.is_empty() {
        return Ok(vec![Finding::of(Diagnosis::WebhookMissing, format!("nothing calls {WEBHOOK}"))]);
    }
    let served = served(patient).await?;
    let served = served.as_ref().map(Option::as_ref);
    let mut findings: Vec<Finding> = configurations
        .iter()
        .map(|it| match trust(it, served, patient.now()) {
            // Its cure speaks of the Secret.
            (Diagnosis::CertificateNotSeen, found) => {
                Finding::of(Diagnosis::CertificateNotSeen, found).about(SECRETS.kind, &patient.system, WEBHOOK_SECRET)
            }
            (diagnosis, found) => Finding::of(diagnosis, found).of_object(&WEBHOOKS, it),
        })
        .collect();
    if configurations.len() > 1 {
        // One that is trusted will do; the others are told of by themselves.
        if findings.iter().any(|it| it.health == Health::Well) {
            findings.retain(|it| it.health == Health::Well);
        }
        let twice = |it| Finding::of(Diagnosis::WebhookTwice, target_of(it)).of_object(&WEBHOOKS, it);
        findings.extend(configurations.iter().map(twice));
    }
    findings.extend(configurations.iter().filter_map(|it| {
        let policy = webhook_of(it).map(|it| text(it, "/failurePolicy")).filter(|policy| *policy != "Ignore")?;
        Some(Finding::of(Diagnosis::WebhookNotIgnored, format!("it is {policy}")).of_object(&WEBHOOKS, it))
    }));
    Ok(findings)
}

/// The serving certificate, if there is one; or why it may not be seen.
async fn served(patient: &Patient<'_>) -> Result<Result<Option<Certificate>, String>, Refusal> {
    if patient.secrets == Secrets::LeftAlone {
        return Ok(Err("no Secret is read for this report".to_owned()));
    }
    match patient.cluster.get(&SECRETS, Some(&patient.system), WEBHOOK_SECRET).await {
        Ok(secret) => Ok(Ok(secret.as_ref().and_then(|it| certificate_of(it, "tls.crt")))),
        Err(Refusal::Forbidden(why) | Refusal::Unserved(why)) => Ok(Err(why)),
        Err(Refusal::Fatal(error)) => Err(Refusal::Fatal(error)),
    }
}

/// The webhook configurations that call a webhook of ours.
async fn configurations(patient: &Patient<'_>) -> Result<Vec<Value>, Refusal> {
    let mut configurations = Vec::new();
    let each = |it: Value| {
        if has_our_webhook(&it) {
            configurations.push(it);
        }
    };
    patient.cluster.list(&WEBHOOKS, None, None, each).await?;
    Ok(configurations)
}

fn webhook_of(configuration: &Value) -> Option<&Value> {
    configuration.get("webhooks")?.as_array()?.iter().find(|it| text(it, "/name") == WEBHOOK)
}

/// Whom a configuration has called, in words.
fn target_of(configuration: &Value) -> String {
    let Some(webhook) = webhook_of(configuration) else { return String::new() };
    match text(webhook, "/clientConfig/url") {
        "" => {
            let service = |key: &str| text(webhook, &format!("/clientConfig/service/{key}")).to_owned();
            format!("it calls the Service {}/{}", service("namespace"), service("name"))
        }
        url => format!("it calls {url}"),
    }
}

/// The host names that a serving certificate has to be good for.
fn names(webhook: &Value) -> Vec<String> {
    let service = |key: &str| text(webhook, &format!("/clientConfig/service/{key}")).to_owned();
    let target = match text(webhook, "/clientConfig/url") {
        "" => Some(Target::Service { namespace: service("namespace"), name: service("name") }),
        url => url.parse().ok().map(Target::Url),
    };
    target.map(|it| it.names()).unwrap_or_default()
}

/// A certificate in a Secret. Nothing else of it is looked at.
fn certificate_of(secret: &Value, key: &str) -> Option<Certificate> {
    let encoded = secret.get("data")?.get(key)?;
    let text = String::from_utf8(ByteString::deserialize(encoded).ok()?.0).ok()?;
    read_certificates(&text).ok()?.into_iter().next()
}

/// Whether the API server trusts the webhook behind a configuration, given what it serves with, if that could be seen.
fn trust(configuration: &Value, served: Result<Option<&Certificate>, &String>, now: Timestamp) -> (Diagnosis, String) {
    let webhook = webhook_of(configuration);
    let bundle = webhook.and_then(|it| it.pointer("/clientConfig/caBundle"));
    let bundle = bundle.and_then(|it| String::from_utf8(ByteString::deserialize(it).ok()?.0).ok()).unwrap_or_default();
    if bundle.trim().is_empty() {
        return (Diagnosis::BundleMissing, target_of(configuration));
    }
    let authorities = match read_certificates(&bundle) {
        Ok(authorities) if !authorities.is_empty() => authorities,
        Ok(_) => return (Diagnosis::BundleWrong, "there is no certificate in it".to_owned()),
        Err(error) => return (Diagnosis::BundleWrong, error.to_string()),
    };
    let last = authorities.iter().map(Certificate::not_after).max().unwrap_or(now);
    if last <= now {
        return (Diagnosis::CertificateExpired, format!("the authority in the caBundle ended at {last:.0}"));
    }
    let certificate = match served {
        Ok(Some(certificate)) => certificate,
        Ok(None) => return (Diagnosis::CertificateNotSeen, "it is not there, or has no certificate".to_owned()),
        Err(why) => return (Diagnosis::CertificateNotSeen, why.clone()),
    };
    let end = certificate.not_after();
    if certificate.is_over(now) {
        return (Diagnosis::CertificateExpired, format!("the serving certificate ended at {end:.0}"));
    }
    let names = webhook.map(names).unwrap_or_default();
    if !certificate.is_trusted(&authorities, &names, now) {
        return (Diagnosis::BundleWrong, format!("{}, as {}", target_of(configuration), names.join(" and ")));
    }
    // Renewal is due at two thirds of a life, and done within seconds.
    if now.checked_sub(RENEWAL).is_ok_and(|then| certificate.is_due(then)) {
        return (Diagnosis::CertificateEnding, format!("it is good until {end:.0}"));
    }
    (Diagnosis::WebhookConfigured, format!("{}; the certificate is good until {end:.0}", target_of(configuration)))
}
