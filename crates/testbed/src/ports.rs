//! Ports that stay ours: reserved by a socket that never listens, so that nobody else is given them, not even while
//! the component that serves there is stopped.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

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
