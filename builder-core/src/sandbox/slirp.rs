//! A network of the command's own by the program `slirp4netns`, where there is no pasta or where it is asked for.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Pid;

use crate::error::{Context, Error, Kind, Result};
use crate::sandbox::uplink::{Uplink, network_of, program};

/// The addresses it gives unless told otherwise.
const USUAL: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 0);

/// Its options, in the words of `--network slirp4netns:OPTION,…`, which are Podman's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct SlirpOptions {
    /// The first address of its network, and how many bits of that all its addresses share.
    cidr: Option<(Ipv4Addr, u8)>,
    /// Bytes of the largest packet.
    mtu: Option<u16>,
    /// Whether the host's own loopback device is reached by the gateway.
    host_loopback: bool,
    /// Whether there are addresses of IPv6, too.
    ipv6: bool,
    /// The host's address that connections come from.
    outbound: Option<Ipv4Addr>,
}

impl SlirpOptions {
    /// From words of the form `NAME=VALUE`.
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let mut options = SlirpOptions::default();
        for word in words {
            options.add(word).ok_or_else(|| {
                Error::new(Kind::Invalid, format!("cannot use the network option `{}`", word.escape_debug()))
                    .because("slirp4netns is not told so here")
                    .hint("use cidr=NET/BITS, mtu=N, allow_host_loopback=BOOL, enable_ipv6=BOOL, outbound_addr=ADDRESS")
            })?;
        }
        Ok(options)
    }

    fn add(&mut self, word: &str) -> Option<()> {
        let (name, value) = word.split_once('=')?;
        match name {
            "cidr" => {
                let (net, bits) = value.split_once('/')?;
                let (net, bits): (Ipv4Addr, u8) = (net.parse().ok()?, bits.parse().ok()?);
                self.cidr = Some((net, bits)).filter(|_| (1..=25).contains(&bits));
                self.cidr.map(drop)
            }
            "mtu" => {
                // More would need packets that the kernel does not take.
                self.mtu = value.parse().ok().filter(|mtu| (576..=65520).contains(mtu));
                self.mtu.map(drop)
            }
            "allow_host_loopback" => value.parse().ok().map(|allow| self.host_loopback = allow),
            "enable_ipv6" => value.parse().ok().map(|enable| self.ipv6 = enable),
            "outbound_addr" => value.parse().ok().map(|address| self.outbound = Some(address)),
            // Nothing is forwarded to a command that is being built.
            _ => None,
        }
    }

    /// Where a command on such a network asks for names: the third address of it.
    pub(crate) fn name_server(&self) -> Ipv4Addr {
        self.address(3)
    }

    /// By which address a command reaches the host's loopback device, if it may.
    pub(crate) fn host(&self) -> Option<Ipv4Addr> {
        self.host_loopback.then(|| self.address(2))
    }

    fn address(&self, number: u32) -> Ipv4Addr {
        let (net, bits) = self.cidr.unwrap_or((USUAL, 24));
        let mask = u32::MAX << (32 - u32::from(bits));
        Ipv4Addr::from_bits((net.to_bits() & mask) + number)
    }
}

/// Starts it for the network namespace of the process `pid`, and waits until the network is up. It is the program
/// `path`; without one it is looked for in `helpers`, then on the usual path.
pub(super) fn start(
    pid: Pid,
    options: &[String],
    path: Option<&Path>,
    helpers: &[PathBuf],
) -> Result<Uplink> {
    let options = SlirpOptions::parse(options)?;
    let namespace = network_of(pid)?;
    let (ready, say) = std::io::pipe().cannot("make", "a pipe")?;
    let mut command = path.map_or_else(|| program("slirp4netns", helpers), Command::new);
    command.args(["--configure", "--ready-fd=1", &format!("--mtu={}", options.mtu.unwrap_or(65520))]);
    if !options.host_loopback {
        command.arg("--disable-host-loopback");
    }
    if options.ipv6 {
        command.arg("--enable-ipv6");
    }
    command.args(options.cidr.map(|(net, bits)| format!("--cidr={net}/{bits}")));
    command.args(options.outbound.map(|address| format!("--outbound-addr={address}")));
    command.args(["--netns-type=path", "/proc/self/fd/0", "tap0"]);
    command.stdin(namespace).stdout(say);
    Uplink::start("slirp4netns", command, ready.into())
}

#[cfg(test)]
mod tests;
