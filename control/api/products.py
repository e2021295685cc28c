"""Products: what is sold, and licences are for. The catalogue is the platform's, and everybody may read it."""

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from control.api.doors import Session, reads
from control.api.lists import Asking, page
from control.api.shapes import Listed, PathId
from control.doors import SIGNED_IN
from tenants.products import Product
from tenants.refusals import OutOfReach


class ProductShape(Struct):
    """Something sold."""

    id: int
    name: str
    slug: str
    """A licence names its product by this, or by its name."""


@reads("/products", may=SIGNED_IN, summary="List the products")
async def list_products(session: Session, listing: Asking) -> Listed[ProductShape]:
    """By name."""

    async def shaped(products: Sequence[Product]) -> list[ProductShape]:
        return [_shape(each) for each in products]

    wanted = sa.select(Product).where(listing.like(Product.name, Product.slug))
    return await page(session, wanted, {"id": Product.id, "name": Product.name}, listing, shaped)


@reads("/products/{product_id:int}", may=SIGNED_IN, summary="Show a product")
async def show_product(session: Session, product_id: PathId) -> ProductShape:
    """The product."""
    product = await session.get(Product, product_id)
    if product is None:
        raise OutOfReach
    return _shape(product)


def _shape(product: Product) -> ProductShape:
    return ProductShape(product.id, product.name, product.slug)


ROUTES = [list_products, show_product]
