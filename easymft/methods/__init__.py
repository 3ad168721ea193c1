"""The methods that a recipe can name: the rows of the paper's table and one control."""

from easymft.methods.adv import ADV
from easymft.methods.method import Method
from easymft.methods.mft import MFT, MFT_DC, MFT_TW
from easymft.methods.mix import MIX, MIX_THEN_FINE_TUNE
from easymft.methods.mtl import MTL
from easymft.methods.single import SINGLE

METHODS: dict[str, Method] = {
    method.name: method
    for method in (SINGLE, MIX, MTL, ADV, MIX_THEN_FINE_TUNE, MFT_DC, MFT_TW, MFT)
}
