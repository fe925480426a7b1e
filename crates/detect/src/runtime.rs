//! The exact names by which the runtime of a language is known: of programs, and of libraries.

use epiphyte_api::Language;

/// The language of a runtime by the name of its program: `java`, `python3.11`, `php-fpm8.2`.
pub(crate) fn by_program(name: &str) -> Option<Language> {
    let numbered = |stem: &str| {
        name.strip_prefix(stem).is_some_and(|rest| {
            let mut bytes = rest.bytes();
            bytes.next().is_none_or(|first| first.is_ascii_digit())
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        })
    };
    Some(match name {
        "java" => Language::Java,
        "node" | "nodejs" => Language::JavaScript,
        "dotnet" => Language::DotNet,
        _ if numbered("python") => Language::Python,
        _ if numbered("ruby") => Language::Ruby,
        _ if numbered("php") || numbered("php-fpm") || numbered("php-cgi") => Language::Php,
        _ => return None,
    })
}

/// The language of a runtime by the name of a library that a process has mapped.
pub(crate) fn by_library(name: &str) -> Option<Language> {
    let shared = |stem: &str| name.strip_prefix(stem).is_some_and(|rest| rest.contains(".so"));
    Some(match name {
        "libjvm.so" => Language::Java,
        "libcoreclr.so" => Language::DotNet,
        _ if name.starts_with("libnode.so") => Language::JavaScript,
        _ if shared("libpython3.") || shared("libpython2.") => Language::Python,
        _ if name.starts_with("libruby.so") || name.starts_with("libruby-") => Language::Ruby,
        _ if name.starts_with("libphp") && name.ends_with(".so") => Language::Php,
        _ => return None,
    })
}

/// `3.11` of `python3.11` or `libpython3.11.so.1.0`.
pub(crate) fn python_minor(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("libpython").or_else(|| name.strip_prefix("python"))?;
    let rest = rest.split_once(".so").map_or(rest, |(rest, _)| rest);
    let minor = rest.trim_end_matches(|last: char| last.is_ascii_lowercase());
    let (major, number) = minor.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(major) && digits(number)).then_some(minor)
}

/// The last part of a path.
pub(crate) fn base(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use epiphyte_api::Language;

    use super::{by_library, by_program, python_minor};

    #[test]
    fn only_exact_names_count() {
        for (name, language) in [
            ("java", Some(Language::Java)),
            ("javascript", None),
            ("node", Some(Language::JavaScript)),
            ("node_exporter", None),
            ("python3.13t", Some(Language::Python)),
            ("python", Some(Language::Python)),
            ("pythonista", None),
            ("php-fpm8.2", Some(Language::Php)),
            ("php82", Some(Language::Php)),
            ("phpmyadmin", None),
            ("ruby3.2", Some(Language::Ruby)),
            ("dotnet", Some(Language::DotNet)),
        ] {
            assert_eq!(by_program(name), language, "{name}");
        }
    }

    #[test]
    fn libraries_have_names_too() {
        for (name, language) in [
            ("libjvm.so", Some(Language::Java)),
            ("libjvmti.so", None),
            ("libpython3.11.so.1.0", Some(Language::Python)),
            ("libruby-3.2.so.3.2", Some(Language::Ruby)),
            ("libphp8.2.so", Some(Language::Php)),
            ("libcoreclr.so", Some(Language::DotNet)),
            ("libnode.so.108", Some(Language::JavaScript)),
            ("libc.so.6", None),
        ] {
            assert_eq!(by_library(name), language, "{name}");
        }
    }

    #[test]
    fn the_minor_version_of_python_is_in_its_names() {
        assert_eq!(python_minor("python3.11"), Some("3.11"));
        assert_eq!(python_minor("python3.13t"), Some("3.13"));
        assert_eq!(python_minor("libpython3.7m.so.1.0"), Some("3.7"));
        assert_eq!(python_minor("libpython3.so"), None);
        assert_eq!(python_minor("python3"), None);
    }
}
