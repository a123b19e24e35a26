package dev.wclayer;

import java.util.Map;

/** By checkout. */
class PortableCheckoutGraphtestTest extends GraphtestScenarios {
    @Override
    Map<String, String> options() {
        return Map.of("durability", "none", "mount", "checkout");
    }
}
