"""Pages: how a browser reaches the house. Each file is one noun's pages and lists its own doors as ROUTES."""

from litestar.types import ControllerRouterHandler

from control.pages import (
    account,
    acting,
    api_keys,
    apps,
    bindings,
    companies,
    company,
    extension,
    extensions,
    find,
    history,
    home,
    invitations,
    licences,
    members,
    new_user,
    overview,
    own_sign_ins,
    password,
    phone_systems,
    resolve,
    setup,
    sign_in,
    user_bindings,
    user_history,
    users,
)


def routes() -> list[ControllerRouterHandler]:
    """Every page's doors."""
    return [
        *sign_in.ROUTES,
        *setup.ROUTES,
        *acting.ROUTES,
        *overview.ROUTES,
        *home.ROUTES,
        *find.ROUTES,
        *users.ROUTES,
        *new_user.ROUTES,
        *invitations.ROUTES,
        *user_bindings.ROUTES,
        *user_history.ROUTES,
        *bindings.ROUTES,
        *account.ROUTES,
        *password.ROUTES,
        *own_sign_ins.ROUTES,
        *api_keys.ROUTES,
        *companies.ROUTES,
        *company.ROUTES,
        *members.ROUTES,
        *phone_systems.ROUTES,
        *extensions.ROUTES,
        *extension.ROUTES,
        *licences.ROUTES,
        *history.ROUTES,
        *apps.ROUTES,
        *resolve.ROUTES,
    ]
