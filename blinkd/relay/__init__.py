"""The cloud side: takes in what terminals send, stores it blind, and hands it on."""
