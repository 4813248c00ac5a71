"""Logging in with a browser: a token, or the one-time code that `qts console` prints, becomes a session cookie.

The code stands behind the ``#`` of the address, which browsers send to no server and write into no log.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from quant_trading_system.console.answers import Refusal, json_response
from quant_trading_system.console.desk import Desk
from quant_trading_system.console.sessions import SESSION_LIFE

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · quant_trading_system</title><link rel="stylesheet" href="/login.css"><script src="/login.js" defer>
</script></head><body><main><h1>Log in</h1>{problem}<form method="post" action="/login">
<input name="username" autocomplete="username" value="token" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button></form>
<p>Make a token with <code>qts token create NAME --role trader</code>, or open the address that
<code>qts console</code> prints.</p></main></body></html>
"""
_WRONG = '<p role="alert">This token or code is not valid, or no longer.</p>'
_SCRIPT = """"use strict";
const code = location.hash.slice(1);
fetch("/login/session").then((answer) => answer.json()).then((session) => {
  if (session.valid) {
    location.replace("HOME");
  } else if (code) {
    history.replaceState(null, "", "/login");
    document.getElementById("token").value = code;
    document.querySelector("form").submit();
  }
});
"""
_STYLE = """:root{color-scheme:light dark;--ink:#1a2330;--paper:#f6f7f9;--line:#5b6675;--do:#0b5cad;--on:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--paper:#12171e;--line:#8b97a6;--do:#6db3ff;--on:#0b1016}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0}
main{max-width:26rem;margin:15vh auto 0;padding:0 1.25rem}h1{font-size:1.4rem}
label{display:block;margin-bottom:.25rem}
input{width:100%;box-sizing:border-box;font:inherit;padding:.6rem;border:1px solid var(--line);border-radius:6px;
background:transparent;color:inherit}
button{font:inherit;font-weight:600;margin-top:.9rem;padding:.6rem 1.2rem;border:0;border-radius:6px;
background:var(--do);color:var(--on);cursor:pointer}
:focus-visible{outline:3px solid var(--do);outline-offset:2px}
[role=alert]{border-left:4px solid #c62828;padding:.4rem .8rem}
"""


def login_routes(desk: Desk, home: str) -> APIRouter:
    """The login page and what it sends; a good login leads to `home`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    def page() -> Response:
        return HTMLResponse(_PAGE.format(problem=""))

    @router.get("/login.js")
    def script() -> Response:
        return PlainTextResponse(_SCRIPT.replace("HOME", home), media_type="text/javascript")

    @router.get("/login.css")
    def style() -> Response:
        return PlainTextResponse(_STYLE, media_type="text/css")

    @router.get("/login/session")
    def session(request: Request) -> Response:
        """Who follows a link from another site arrives without the cookie, and has one all the same."""
        return json_response({"valid": request.state.caller is not None})

    @router.post("/login")
    async def login(request: Request) -> Response:
        body = await request.body()
        form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=5)
        secret = desk.sessions.begin(form.get("token", [""])[0].strip())
        if secret is None:
            return HTMLResponse(_PAGE.format(problem=_WRONG), status_code=401)
        answer = RedirectResponse(home, status_code=303)
        answer.set_cookie(
            desk.sessions.cookie,
            secret,
            max_age=int(SESSION_LIFE.total_seconds()),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    @router.post("/logout")
    def logout(request: Request) -> Response:
        caller = request.state.caller
        if caller is None or not caller.session:
            raise Refusal(400, "no_session", "only a browser's session can be ended; revoke a token with `qts token`")
        desk.sessions.end(caller.session)
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(desk.sessions.cookie, path="/")
        return answer

    return router
