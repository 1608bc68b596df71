"""The fence itself: no test may reach another machine, not even through a process that it starts."""

import os
import socket
import subprocess
import sys

import aiohttp
import pytest

# 192.0.2.0/24 and 2001:db8::/32 are set aside for documentation (RFC 5737, RFC 3849): nobody answers there.
ELSEWHERE = ("192.0.2.1", "2001:db8::1", "harborline.example")


@pytest.mark.parametrize("host", ELSEWHERE)
def test_another_machine_cannot_be_reached(host: str) -> None:
    with pytest.raises(RuntimeError, match="another machine"):
        socket.create_connection((host, 443), timeout=1)


@pytest.mark.parametrize("host", ELSEWHERE)
async def test_nor_through_the_client_that_the_product_uses(host: str) -> None:
    url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(RuntimeError, match="another machine"):
            await session.get(url)


def test_nor_from_a_process_that_a_test_starts() -> None:
    program = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=1)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 1
    assert "OutsideTheFence" in run.stderr


def test_this_machine_can_be_reached_by_number_name_and_path(tmp_path: os.PathLike[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port), timeout=5).close()
    path = os.path.join(tmp_path, "here")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
