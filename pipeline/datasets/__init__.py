"""Where data sets come from: names, downloads, archives, the generator, inspection."""
