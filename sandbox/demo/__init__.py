"""What the demo makes: a small shop's product export, the job that turns it into images, a contact sheet."""

from sandbox.demo.contact_sheet import Tile, draw_contact_sheet
from sandbox.demo.shop import MANIFEST, PROMPT, Product, products, submission

__all__ = ["MANIFEST", "PROMPT", "Product", "Tile", "draw_contact_sheet", "products", "submission"]
