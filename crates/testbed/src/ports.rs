//! Ports that stay ours: reserved by a socket that never listens, so that nobody else is given them, not even while
//! the component that serves there is stopped. And ports for programs that know nothing of that, which nobody is given.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

use crate::{Error, Result};

/// A port on 127.0.0.1 for as long as this value lives. The server binds it with `SO_REUSEPORT`.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _reservation: OwnedFd,
}

impl Port {
    /// Reserves a port that nobody uses. The kernel gives one that no other socket is bound to, sharing or not.
    pub(crate) fn reserve() -> Result<Self> {
        let reserve = || -> std::io::Result<Self> {
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            sockopt::set_socket_reuseport(&socket, true)?;
            bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
            let address = SocketAddr::try_from(getsockname(&socket)?)?;
            Ok(Self { number: address.port(), _reservation: socket })
        };
        reserve().map_err(Error::Port)
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// An address on loopback that is free now, and a moment later too: its port is above those that the kernel gives to whoever
/// takes any, such as every connection that goes out.
///
/// # Errors
/// No port is free, or the kernel does not say which it gives.
pub fn free_address() -> io::Result<SocketAddr> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let last = range.split_whitespace().next_back().and_then(|last| last.parse().ok()).unwrap_or(u16::MAX);
    let above = u16::MAX - last;
    // Where none are left, any has to do.
    let candidates = (0..above).map(|_| {
        let number = std::process::id().wrapping_mul(97).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        u16::try_from(number % u32::from(above)).map_or(0, |number| last + 1 + number)
    });
    let free = candidates.chain([0]).find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    free.ok_or(io::ErrorKind::AddrInUse)?.local_addr()
}
