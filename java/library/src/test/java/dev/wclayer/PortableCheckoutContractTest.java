package dev.wclayer;

import java.util.Map;

/** By checkout. */
class PortableCheckoutContractTest extends DriverContract {
    @Override
    Map<String, String> options() {
        return Map.of("durability", "none", "mount", "checkout");
    }
}
