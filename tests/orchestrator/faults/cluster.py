"""A Ray cluster of several nodes on this machine, as a process of its own: `python -m ... NODES`.

Says its address, then obeys lines: `remove` takes the last node away without grace, `add` adds one.
At the end of its input it ends all of them.
"""

from __future__ import annotations

import socket
import sys

from ray.cluster_utils import Cluster

# At this machine's own address, which no traffic leaves: of 127.0.0.1 a driver of Ray makes it too.
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def main() -> None:
    head = NODE | {"num_cpus": 0, "include_dashboard": False, "dashboard_port": free_port()}
    cluster = Cluster(initialize_head=True, head_node_args=head)

    def add() -> None:
        nodes.append(cluster.add_node(**NODE))

    nodes: list[object] = []
    for _ in range(int(sys.argv[1])):
        add()
    print(f"address {cluster.address}", flush=True)
    for line in sys.stdin:
        if line.strip() == "remove":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            add()
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
