"""Virtual cables between network namespaces, by the kernel's own interfaces: no iproute2 is needed.

veth.py pair NAME PEER PID   a cable from NAME here to PEER in the network namespace of process PID
veth.py address NAME IP      gives an interface its address (/24) and brings it up
veth.py up|down NAME         plugs a cable in, or pulls it out
"""

import fcntl
import socket
import struct
import sys

NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL = 1, 4, 0x400, 0x200
NLMSG_ERROR, RTM_NEWLINK = 2, 16
IFLA_IFNAME, IFLA_LINKINFO, IFLA_NET_NS_PID = 3, 18, 19
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
IFF_UP = 1


def attribute(kind, payload):
    """A netlink attribute, padded to 4 bytes."""
    return struct.pack("=HH", len(payload) + 4, kind) + payload + bytes(-len(payload) % 4)


def pair(name, peer, pid):
    here = attribute(IFLA_IFNAME, name.encode() + b"\0")
    there = attribute(IFLA_IFNAME, peer.encode() + b"\0")
    there += attribute(IFLA_NET_NS_PID, struct.pack("=I", int(pid)))
    data = attribute(VETH_INFO_PEER, bytes(16) + there)
    link = attribute(IFLA_INFO_KIND, b"veth\0") + attribute(IFLA_INFO_DATA, data)
    body = bytes(16) + here + attribute(IFLA_LINKINFO, link)
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, flags, 1, 0) + body)
        answer = netlink.recv(4096)
    kind, code = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind != NLMSG_ERROR or code != 0:
        raise OSError(-code, f"Cannot make a virtual cable {name}: errno {-code}")


def request(name, tail):
    return struct.pack("16s", name.encode()) + tail


def internet(address):
    return struct.pack("=H2s4s8s", socket.AF_INET, b"", socket.inet_aton(address), b"")


def plug(name, up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request(name, bytes(24)))
        flags = struct.unpack_from("=h", answer, 16)[0]
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request(name, struct.pack("=h22x", flags)))


def address(name, ip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFADDR, request(name, internet(ip)))
        fcntl.ioctl(any_socket, SIOCSIFNETMASK, request(name, internet("255.255.255.0")))
    plug(name, True)


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "pair":
        pair(*arguments)
    elif command == "address":
        address(*arguments)
    else:
        plug(arguments[0], command == "up")
