"""node-oidc-provider: installed outside the repository, started on our PostgreSQL, signed in to once."""

import contextlib
import html
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from bench.flows import VERIFIER, CodeFlow, Introspection
from bench.house import Database, published_keys
from bench.server import Server, serving
from bench.workloads import TOKENS, Workload

HERE = Path(__file__).parent
TYPE = "urn:ietf:params:oauth:token-type:access_token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def install(folder: Path) -> None:
    """The pinned packages and the server into a folder of its own, once; npm reports what fails."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copyfile(HERE / name, folder / name)
    if not (folder / "node_modules" / "oidc-provider").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)


@contextlib.contextmanager
def served(folder: Path, at: Database, port: int) -> Iterator[Server]:
    """The peer at its database."""
    environment = {"NODE_ENV": "production", "PORT": str(port), "PGURL": at.url}
    with serving(["node", "server.mjs"], environment, folder, port, "/.well-known/openid-configuration") as server:
        yield server


class Admin:
    """The peer's one browser: proves who it is on the pages that the peer has for trying out."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        self.flow = CodeFlow(
            "app", "secret", "http://127.0.0.1:9/cb", "openid email", "", "admin", authorize="/auth", token="/token"
        )

    def sign_in(self) -> str:
        """Sign in, consent, redeem; the admin's own access token. The flow has the cookie from here on."""
        address = self.follow(self.http.get(self.flow.path))
        self.flow.cookie = "; ".join(f"{each.name}={each.value}" for each in self.http.cookies.jar if each.path == "/")
        code = parse_qs(urlsplit(address).query)["code"][0]
        return self.redeem(
            grant_type="authorization_code", code=code, redirect_uri=self.flow.redirect_uri, code_verifier=VERIFIER
        )

    def follow(self, answer: httpx.Response) -> str:
        """Through the pages until the app's own address."""
        while answer.is_redirect:
            address = answer.headers["location"]
            if address.startswith(self.flow.redirect_uri):
                return str(address)
            answer = self.http.get(address)
            if answer.status_code == 200:
                action = re.search(r'action="([^"]+)"', answer.text)
                prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)
                if action is None or prompt is None:
                    break
                form = {"prompt": prompt[1], "login": "admin", "password": "x"}
                answer = self.http.post(html.unescape(action[1]), data=form)
        raise RuntimeError(f"the peer did not sign in: {answer.status_code} {answer.text[:300]}")

    def redeem(self, **form: str) -> str:
        """An access token."""
        answer = self.http.post("/token", data=form, auth=("app", "secret"))
        return str(answer.raise_for_status().json()["access_token"])

    def workloads(self, connections: int) -> dict[str, Workload]:
        """W2 as the admin; W3 of tokens of one user that the admin stands in for."""
        actor = self.sign_in()
        exchange = {"grant_type": EXCHANGE, "subject_token_type": TYPE, "actor_token": actor, "actor_token_type": TYPE}
        tokens = [self.redeem(subject_token="u5", **exchange) for _ in range(TOKENS)]
        question = Introspection.of("/token/introspection", self.flow, tokens, "admin")
        question.subject = "u5"
        return {
            "w2": Workload([self.flow] * connections, lambda: self.flow.verify(published_keys(self.port, "/jwks"))),
            "w3": Workload([question] * connections),
        }
