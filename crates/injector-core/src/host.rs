//! What the host's name stands for.

/// The name of the host that a process sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'n> {
    /// The name of the pod.
    Pod(&'n [u8]),
    /// Some name, better than none: the kubelet did not say what it is.
    Other(&'n [u8]),
    /// Not known, or the node's, which says nothing about the pod.
    Unknown,
}

/// The longest name of a host. A pod's name may be longer, and its host's name is cut then.
const LIMIT: usize = 63;

impl<'n> Host<'n> {
    /// Tells from the host's name and the beginning of `/etc/hosts`, where the kubelet leaves its mark in every pod, and
    /// another in those on the network of their node.
    pub fn of(name: &'n [u8], hosts: &[u8]) -> Self {
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(byte);
        if name.is_empty()
            || !name.iter().all(plain)
            || hosts.starts_with(b"# Kubernetes-managed hosts file (host network)")
        {
            Self::Unknown
        } else if hosts.starts_with(b"# Kubernetes-managed hosts file") && name.len() < LIMIT {
            Self::Pod(name)
        } else {
            Self::Other(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn the_kubelet_says_whose_name_it_is() {
        let hosts = b"# Kubernetes-managed hosts file.\n127.0.0.1";
        assert_eq!(Host::of(b"web-0", hosts), Host::Pod(b"web-0"));
        assert_eq!(Host::of(b"web-0", b"127.0.0.1 localhost"), Host::Other(b"web-0"));
        assert_eq!(Host::of(b"node-1", b"# Kubernetes-managed hosts file (host network).\n"), Host::Unknown);
    }

    #[test]
    fn what_can_be_no_pods_name_is_not_taken_for_one() {
        let hosts = b"# Kubernetes-managed hosts file.\n";
        assert_eq!(Host::of(&[b'a'; 63], hosts), Host::Other(&[b'a'; 63]));
        assert_eq!(Host::of(b"My_Host", hosts), Host::Unknown);
        assert_eq!(Host::of(b"", hosts), Host::Unknown);
    }
}
