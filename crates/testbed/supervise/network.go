package main

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
)

// The address of the node, on a bridge that nothing is plugged into. Pods are reached by routes of their own.
var node = &net.IPNet{IP: net.IPv4(10, 200, 0, 1), Mask: net.CIDRMask(24, 32)}

var everywhere = &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}

// setUpNetwork brings the loopback up and gives the box an address. No way leads out of it.
func setUpNetwork() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("no loopback: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("the loopback stays down: %w", err)
	}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "node0"}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("cannot add a bridge: %w", err)
	}
	if err := netlink.AddrAdd(bridge, &netlink.Addr{IPNet: node}); err != nil {
		return fmt.Errorf("cannot give the bridge its address: %w", err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("the bridge stays down: %w", err)
	}
	// Addresses of Services are routable nowhere, but the kernel wants a route before kube-proxy's rules see a packet.
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: bridge.Attrs().Index, Dst: everywhere}); err != nil {
		return fmt.Errorf("cannot add a route: %w", err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}
