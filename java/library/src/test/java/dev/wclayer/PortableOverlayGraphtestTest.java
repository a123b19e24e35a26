package dev.wclayer;

import java.util.Map;

/** By overlayfs, where this process may mount; MountsTest says whether it may. */
class PortableOverlayGraphtestTest extends GraphtestScenarios {
    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }
}
