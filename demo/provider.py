"""The OpenID provider as an app knows it: what it publishes about itself, and its signing keys."""

from collections.abc import Mapping
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from demo.refusals import PanelUnreachableError

METADATA_LIVES = 3600.0
"""Seconds after which the discovery document is read again."""

KEYS_REST = 10.0
"""Seconds between two fetches of the keys, so that tokens with made-up key ids cannot drive them."""

Json = dict[str, Any]


class Provider:
    """One issuer, its discovery document (OIDC Discovery section 4) and its key set, both kept."""

    def __init__(self, issuer: str, http: httpx.AsyncClient) -> None:
        self.issuer = issuer
        self._http = http
        self._metadata: Json = {}
        self._metadata_from = float("-inf")
        self._keys = KeySet([])
        self._keys_from = float("-inf")

    async def address(self, endpoint: str, now: float) -> str:
        """The URL published under `endpoint`. Raises PanelUnreachableError where there is none."""
        if now - self._metadata_from > METADATA_LIVES:
            found = await self._get(f"{self.issuer}/.well-known/openid-configuration")
            # A document that speaks for another issuer is not this one's (OIDC Discovery section 4.3).
            if found.get("issuer") != self.issuer:
                raise PanelUnreachableError(f"{self.issuer} publishes the issuer {found.get('issuer')!r}")
            self._metadata, self._metadata_from = found, now
        url = self._metadata.get(endpoint)
        if not isinstance(url, str):
            raise PanelUnreachableError(f"{self.issuer} publishes no {endpoint}")
        return url

    async def keys(self, key_id: str | None, now: float) -> KeySet:
        """The published keys; read again when `key_id` is not among them, as after a rotation."""
        known = key_id in {key.kid for key in self._keys.keys}
        if not known and now - self._keys_from > KEYS_REST:
            published = await self._get(await self.address("jwks_uri", now))
            try:
                self._keys, self._keys_from = KeySet.import_key_set(_public(published)), now
            except (JoseError, ValueError, KeyError, TypeError) as broken:
                raise PanelUnreachableError("the published keys cannot be read") from broken
        return self._keys

    async def post(self, url: str, form: Mapping[str, str], auth: httpx.Auth) -> tuple[int, Json]:
        """Sends a form; gives the status and the JSON of an answer below 500."""
        return await self._send(self._http.build_request("POST", url, data=dict(form)), auth)

    async def _get(self, url: str) -> Json:
        status, body = await self._send(self._http.build_request("GET", url), None)
        if status != 200:
            raise PanelUnreachableError(f"{url} answered {status}")
        return body

    async def _send(self, request: httpx.Request, auth: httpx.Auth | None) -> tuple[int, Json]:
        try:
            response = await self._http.send(request, auth=auth)
            if response.status_code >= 500 or response.status_code == 429:
                raise PanelUnreachableError(f"{request.url} answered {response.status_code}")
            # Revocation answers with an empty body (RFC 7009 section 2.2).
            body = response.json() if response.content else {}
        except (httpx.HTTPError, ValueError) as lost:
            raise PanelUnreachableError(f"{request.url}: {type(lost).__name__}") from lost
        if not isinstance(body, dict):
            raise PanelUnreachableError(f"{request.url} answered JSON that is no object")
        return response.status_code, body


def _public(published: Json) -> Any:
    """The ES256 keys alone: what else an issuer publishes is for other clients."""
    keys = [key for key in published["keys"] if key.get("kty") == "EC" and key.get("crv") == "P-256"]
    return {"keys": keys}
